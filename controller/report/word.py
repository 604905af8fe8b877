"""The words of reports in both languages, and how they write numbers and days (民國 years in Chinese)."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

__all__ = [
    "LANGUAGES",
    "day_text",
    "moment_text",
    "month_text",
    "number",
    "percent",
    "say",
    "span_text",
    "title_text",
]

LANGUAGES = ("zh", "en")
_WORDS: dict[str, tuple[str, str]] = {
    "title.month": ("能源月報", "Monthly energy report"),
    "title.day": ("能源日報", "Daily energy report"),
    "made": ("製表時間 {time}（Asia/Taipei）", "Made {time} (Asia/Taipei)"),
    "until": ("資料截至 {time}，期間尚未結束", "Data up to {time}; the period is not over"),
    "quality": ("資料品質 {share}", "Data quality {share}"),
    "quality.whole": ("{windows} 個 15 分鐘時段皆有讀值", "All {windows} quarter hours have readings"),
    "quality.missing": (
        "{windows} 個 15 分鐘時段中缺 {missing} 個，未估補",
        "{missing} of {windows} quarter hours are missing; none was filled in",
    ),
    "quality.unplaced": (
        "另有 {kwh} kWh 在缺值期間計得，無法歸入時段",
        "{kwh} kWh were counted in gaps and belong to no period",
    ),
    "quality.resets": ("電表曾歸零 {count} 次", "The counter was reset {count} times"),
    "quality.none": ("此期間沒有任何讀值", "There are no readings of this period"),
    "tile.energy": ("用電量", "Energy"),
    "tile.bill": ("電費（估算）", "Bill (estimate)"),
    "tile.peak": ("最高需量", "Highest demand"),
    "tile.peak.of": ("契約容量 {kw} kW", "Contract capacity {kw} kW"),
    "tile.peak.at": ("發生於 {time}", "At {time}"),
    "tile.carbon": ("碳排放量", "Carbon emission"),
    "compare": ("比較", "Comparison"),
    "compare.span": ("期間", "Period"),
    "compare.this": ("本期", "This period"),
    "compare.day_before": ("前一日同時段", "Day before, same hours"),
    "compare.week_before": ("上週同日同時段", "Same day last week, same hours"),
    "compare.month_before": ("上月同期", "Month before, same days"),
    "compare.year_before": ("去年同期", "Year before, same span"),
    "compare.change": ("本期增減", "Change"),
    "col.kwh": ("用電量 kWh", "Energy kWh"),
    "col.missing": ("缺值時段", "Missing"),
    "col.share": ("占比", "Share"),
    "col.period": ("時段", "Period"),
    "col.day": ("日期", "Day"),
    "col.time": ("時間", "Time"),
    "col.kw": ("需量 kW", "Demand kW"),
    "col.peak": ("最高需量 kW", "Highest kW"),
    "col.item": ("項目", "Item"),
    "col.quantity": ("數量", "Quantity"),
    "col.unit": ("單位", "Unit"),
    "unit.money": ("元", "NT$"),
    "col.price": ("單價 元", "Price NT$"),
    "col.amount": ("金額 元", "Amount NT$"),
    "col.use": ("用途", "Use"),
    "col.value": ("數值", "Value"),
    "col.total": ("合計", "Total"),
    "col.note": ("備註", "Note"),
    "no": ("無資料", "No data"),
    "partial": ("資料不全", "Incomplete"),
    "periods": ("時間電價時段", "Time-of-use periods"),
    "contract.peak": ("經常契約", "regular contract"),
    "contract.half_peak": ("半尖峰（非夏月）契約", "half-peak or non-summer contract"),
    "contract.saturday": ("週六半尖峰及離峰契約", "Saturday and off-peak contract"),
    "period.peak": ("尖峰", "Peak"),
    "period.half_peak": ("半尖峰", "Half-peak"),
    "period.saturday": ("週六半尖峰", "Saturday half-peak"),
    "period.off_peak": ("離峰", "Off-peak"),
    "season.summer": ("夏月", "summer"),
    "season.non_summer": ("非夏月", "non-summer"),
    "bill": ("電費單（估算）", "Bill (estimate)"),
    "bill.basic": ("基本電費", "Basic charge"),
    "bill.energy": ("流動電費", "Energy charge"),
    "bill.excess": ("超約附加費", "Over contract"),
    "bill.adjustment": ("功率因數調整（{percent} %）", "Power factor ({percent} %)"),
    "bill.adjustment.unknown": ("功率因數調整（無效電能不明）", "Power factor (reactive energy unknown)"),
    "bill.subtotal": ("小計", "Subtotal"),
    "bill.coefficient": ("電價調整係數", "Coefficient of the industry"),
    "bill.total": ("應繳總額", "Total"),
    "bill.incomplete": (
        "期間未結束或有缺值時段：缺值時段未計費，實際電費較高。",
        "The period is not over, or quarter hours are missing: nothing is billed for them; the real bill is higher.",
    ),
    "bill.unchecked": (
        "電價僅查證至 {day}，其後以同一電價表計算，待查證。",
        "The prices were compared with the published ones up to {day}; later days use the same table, unchecked.",
    ),
    "bill.source": ("依據：{source}", "Source: {source}"),
    "days": ("每日用電", "Energy by day"),
    "days.table": ("每日明細", "Day by day"),
    "load": ("15 分鐘需量", "Quarter-hour demand"),
    "load.contract": ("契約容量", "Contract capacity"),
    "uses": ("用途別", "End uses"),
    "uses.rest": ("其他（總表減分表）", "Other (main meter less sub-meters)"),
    "carbon": ("碳排放", "Carbon"),
    "carbon.factor": (
        "{kwh} kWh × {factor} kg CO2e/kWh（{year} 年電力排碳係數）",
        "{kwh} kWh × {factor} kg CO2e/kWh (emission factor of {year})",
    ),
    "carbon.provisional": (
        "{year} 年係數尚未公告，暫用 {used} 年係數，公告後重算。",
        "The factor of {year} is not published yet: that of {used} stands in, and the figure is provisional.",
    ),
    "carbon.none": ("沒有排碳係數。", "No emission factor is known."),
    "baseline": ("基準線（氣溫迴歸）", "Baseline (weather regression)"),
    "baseline.few_days": (
        "無基準線：氣溫與用電皆齊全的日數為 {days} 日，至少需要 {needed} 日。",
        "No baseline: {days} days have both energy and temperature, {needed} are needed.",
    ),
    "baseline.no_cooling": (
        "無基準線：{days} 日的資料看不出用電隨氣溫上升。",
        "No baseline: in {days} days energy does not rise with the temperature.",
    ),
    "baseline.model": (
        (
            "以 {first} 至 {last} 的 {fitted} 日擬合，轉折溫度 {point} °C；"
            "於未參與擬合的 {held} 日檢驗：CVRMSE {cvrmse}，NMBE {nmbe}。"
        ),
        (
            "Fitted to {fitted} days from {first} to {last}, change point {point} °C; "
            "on {held} days held out: CVRMSE {cvrmse}, NMBE {nmbe}."
        ),
    ),
    "baseline.bad": (
        "誤差超過限值（CVRMSE {cvrmse}、NMBE ±{nmbe}），不用於計算節能量。",
        "It is beyond the limits (CVRMSE {cvrmse}, NMBE ±{nmbe}) and not used for savings.",
    ),
    "baseline.against": (
        "本期已結束的 {days} 日：實際 {measured} kWh，基準 {expected} kWh，節能量 {saved} kWh（{share}）。",
        "{days} days that are over: measured {measured} kWh, baseline {expected} kWh, saving {saved} kWh ({share}).",
    ),
    "baseline.beyond": (
        "其中 {count} 日的氣溫超出擬合範圍。",
        "{count} of them are warmer or colder than the model has seen.",
    ),
    "sheet.summary": ("摘要", "Summary"),
    "sheet.days": ("每日", "Days"),
    "sheet.load": ("15 分鐘", "Quarter hours"),
    "sheet.bill": ("電費", "Bill"),
    "sheet.uses": ("用途", "Uses"),
    "page": ("第 {page} 頁，共 {pages} 頁", "Page {page} of {pages}"),
}
_MINUS = "\u2212"


def say(language: str, key: str, **values: str) -> str:
    """Return a text; `values` fill its braces."""
    return _WORDS[key][LANGUAGES.index(language)].format(**values)


def number(value: float | None, digits: int = 0) -> str:
    """Return a number with separators and a true minus; a dash for what is not known."""
    if value is None:
        return "—"
    text = f"{abs(value):,.{digits}f}"
    return f"{_MINUS}{text}" if value < 0 and text.strip("0,.") else text


def percent(share: float | None, digits: int = 1, *, sign: bool = False) -> str:
    """Return a share as per cent; what is not all is never shown as 100 %."""
    if share is None:
        return "—"
    if share < 1:
        share = min(share, 1 - 10 ** -(digits + 2))
    plus = "+" if sign and share > 0 else ""
    return f"{plus}{number(100 * share, digits)} %"


def day_text(language: str, day: date) -> str:
    """Return a day: 115年11月23日, or 23 November 2026."""
    if language == "zh":
        return f"{day.year - 1911}年{day.month}月{day.day}日"
    return f"{day.day} {day:%B %Y}"


def month_text(language: str, day: date) -> str:
    """Return a month: 115年11月, or November 2026."""
    return f"{day.year - 1911}年{day.month}月" if language == "zh" else f"{day:%B %Y}"


def title_text(language: str, site: str, kind: str, first: date) -> str:
    """Return the title of a report."""
    parts = (site, say(language, f"title.{kind}"), span_text(language, kind, first))
    return (" " if language == "zh" else " · ").join(parts)


def span_text(language: str, kind: str, first: date) -> str:
    """Return what a report is of."""
    return month_text(language, first) if kind == "month" else day_text(language, first)


def moment_text(language: str, iso: str, zone: ZoneInfo) -> str:
    """Return day and minute of a moment that is given as ISO 8601."""
    moment = datetime.fromisoformat(iso).replace(tzinfo=UTC).astimezone(zone)
    return f"{day_text(language, moment.date())} {moment:%H:%M}"
