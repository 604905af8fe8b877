// The part of the trend that needs uPlot; fetched when the first chart is shown.
import type uPlot from 'uplot';
import type { Limits } from '../lib/types';

export interface ChartOptions {
  host: HTMLElement;
  width: number;
  height: number;
  /** ms since 1970 UTC. */
  x: number[];
  /** Per series max, min, mean, held; then one column per compared series. */
  columns: (number | null)[][];
  start: number;
  end: number;
  series: { label: string; unit: string; decimals: number; step: boolean; limits: Limits }[];
  compared: number;
  token: (name: string) => string;
  onCursor: (index: number | null) => void;
}

const DASH: number[][] = [[], [8, 4], [2, 3], [10, 3, 2, 3], [4, 4], [14, 6]];
const pad = (n: number): string => String(n).padStart(2, '0');

/** Indices of values without neighbours: a line cannot show them, so they are dots. */
function alone(u: uPlot, series: number): number[] {
  const values = u.data[series] ?? [];
  const found: number[] = [];
  for (let i = 0; i < values.length; i += 1) if (values[i] != null && values[i - 1] == null && values[i + 1] == null) found.push(i);
  return found;
}

export async function load(): Promise<{ draw: (options: ChartOptions) => uPlot }> {
  const [{ default: UPlot }] = await Promise.all([import('uplot'), import('uplot/dist/uPlot.min.css')]);
  return {
    draw(o: ChartOptions): uPlot {
      const units = [...new Set(o.series.map((s) => s.unit))];
      const scale = (unit: string): string => `y${units.indexOf(unit)}`;
      const text = o.token('--text-2');
      const line = o.token('--line');
      const font = "12px 'Noto Sans TC'";
      const band = `${o.token('--band')}66`;
      const step = UPlot.paths.stepped?.({ align: 1 });
      const series: uPlot.Series[] = [{}];
      const bands: uPlot.Band[] = [];
      o.series.forEach((s, i) => {
        const common = { scale: scale(s.unit), points: { show: false }, spanGaps: false };
        series.push({ ...common, width: 0 }, { ...common, width: 0 });
        bands.push({ series: [i * 4 + 1, i * 4 + 2], fill: `${o.token(`--series-${i + 1}`)}38` });
        series.push({ ...common, label: s.label, stroke: o.token(`--series-${i + 1}`), width: 1.8, dash: DASH[i], ...(s.step && step ? { paths: step } : {}), points: { show: true, size: 5, fill: o.token(`--series-${i + 1}`), filter: alone } });
        series.push({ ...common, stroke: o.token(`--series-${i + 1}`), width: 1, dash: [2, 4] });
      });
      for (let i = 0; i < o.compared; i += 1) {
        series.push({ scale: scale(o.series[i]?.unit ?? ''), stroke: o.token('--series-6'), width: 1.5, dash: [14, 6], points: { show: false }, spanGaps: false });
      }
      const single = o.series.length === 1 ? o.series[0] : undefined;
      const options: uPlot.Options = {
        width: o.width,
        height: o.height,
        ms: 1,
        tzDate: (ms) => UPlot.tzDate(new Date(ms), 'Asia/Taipei'),
        legend: { show: false },
        padding: [12, 8, 0, 0],
        cursor: { drag: { x: true, y: false }, points: { size: 7 }, focus: { prox: -1 } },
        scales: { x: { time: true, range: () => [o.start, o.end] } },
        series,
        bands,
        axes: [
          {
            stroke: text, font, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 }, space: 72,
            values: (_, splits, __, ___, increment) => splits.map((ms) => {
              const d = UPlot.tzDate(new Date(ms), 'Asia/Taipei');
              const day = `${d.getMonth() + 1}/${d.getDate()}`;
              if (increment >= 86_400_000) return day;
              const time = `${pad(d.getHours())}:${pad(d.getMinutes())}`;
              return d.getHours() === 0 && d.getMinutes() === 0 ? `${time}\n${day}` : increment < 60_000 ? `${time}:${pad(d.getSeconds())}` : time;
            }),
          },
          ...units.map((unit, i): uPlot.Axis => ({
            scale: scale(unit), side: i === 0 ? 3 : 1, stroke: text, font, size: 72, grid: i === 0 ? { stroke: line, width: 1 } : { show: false }, ticks: { stroke: line, width: 1 },
            // The unit stands at the uppermost tick: a label along the axis would be rotated text.
            values: (_, splits) => splits.map((v, k) => {
              const text = v < 0 ? `\u2212${Math.abs(v).toLocaleString('en-US')}` : v.toLocaleString('en-US');
              return unit && k === splits.length - 1 ? `${text} ${unit}` : text;
            }),
          })),
        ],
        hooks: {
          // The normal range behind the line, when one point alone is shown.
          drawAxes: [
            (u) => {
              const l = single?.limits;
              if (!l || (l.low === null && l.high === null)) return;
              const { left, top, width, height } = u.bbox;
              const clamp = (v: number): number => Math.min(top + height, Math.max(top, v));
              const a = l.high === null ? top : clamp(u.valToPos(l.high, 'y0', true));
              const b = l.low === null ? top + height : clamp(u.valToPos(l.low, 'y0', true));
              u.ctx.fillStyle = band;
              u.ctx.fillRect(left, a, width, Math.max(0, b - a));
            },
          ],
          setCursor: [(u) => o.onCursor(u.cursor.idx ?? null)],
        },
      };
      return new UPlot(options, [o.x, ...o.columns] as uPlot.AlignedData, o.host);
    },
  };
}
