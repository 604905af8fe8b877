// Both languages complete, with the same parameters, in the project's words.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { en } from '../../src/lib/i18n/en/index';
import { fill } from '../../src/lib/i18n';
import { zh } from '../../src/lib/i18n/zh-TW/index';

const params = (text: string): string[] => [...text.matchAll(/\{(\w+)\}/g)].map((m) => m[1] as string).sort();
const keys = Object.keys(zh) as (keyof typeof zh)[];

/** Words of elsewhere, or with two meanings, and what stands here instead. */
const BANNED: [RegExp, string][] = [
  [/(?<!手動)報警/, '告警'], [/冷水機組/, '冰水主機'], [/冷卻塔/, '冷卻水塔'], [/新風/, '外氣'], [/風機盤管/, '小型送風機'], [/合閘|分閘/, '投入／啟斷'],
  [/跳閘/, '跳脫'], [/屏蔽/, '抑制'], [/數據(?!整合)/, '資料'], [/實時/, '即時'], [/質量/, '品質'], [/默認/, '預設'], [/設置/, '設定'], [/用戶/, '使用者'],
  [/登錄(?!，)/, '登入'], [/界面/, '介面'], [/屏幕/, '螢幕'], [/打印/, '列印'], [/搜索/, '搜尋'], [/信息/, '資訊／訊息'], [/視頻/, '影像'], [/網絡/, '網路'],
  [/導出/, '匯出'], [/加載/, '載入'], [/服務器/, '伺服器'], [/保存/, '儲存'], [/充電桩/, '充電樁'], [/台北市政府/, '臺北市政府'], [/逐級通報/, '升級通報'],
];

describe('messages', () => {
  it('exist in both languages', () => {
    expect(Object.keys(en).sort()).toEqual([...keys].sort());
    for (const key of keys) {
      expect(zh[key].trim(), `zh ${key}`).not.toBe('');
      expect(en[key].trim(), `en ${key}`).not.toBe('');
    }
  });
  it('take the same parameters in both languages', () => {
    for (const key of keys) expect(params(en[key]), key).toEqual(params(zh[key]));
  });
  it('use the words of the vocabulary', () => {
    for (const key of keys) for (const [pattern, instead] of BANNED) expect(zh[key], `${key}: write ${instead}`).not.toMatch(pattern);
  });
  it('say 確認 for acknowledging alone', () => {
    const allowed = /^(alarm\.|action\.acknowledge|key\.acknowledge|key\.worst|help\.returned|command\.second-person)/;
    for (const key of keys) if (zh[key].includes('確認')) expect(key, zh[key]).toMatch(allowed);
  });
  it('say 復原 for the end of a drill alone: undo is 還原, return to normal 恢復, reset 復歸', () => {
    for (const key of keys) if (zh[key].includes('復原')) expect(key, zh[key]).toMatch(/^drill\./);
  });
  it('have no Chinese in English but the language switch', () => {
    for (const key of keys) if (key !== 'shell.language') expect(en[key], key).not.toMatch(/[\u4e00-\u9fff]/);
  });
  it('fill named parameters and leave unknown ones visible', () => {
    expect(fill('{a} of {b}', { a: 1 })).toBe('1 of {b}');
  });
});

describe('characters', () => {
  const walk = (dir: string): string[] => readdirSync(dir, { withFileTypes: true }).flatMap((e) => (e.isDirectory() ? (e.name === 'generated' ? [] : walk(join(dir, e.name))) : [join(dir, e.name)]));
  it('never use the subscript two, which the font lacks', () => {
    for (const file of walk('src')) expect(readFileSync(file, 'utf8'), file).not.toContain('\u2082');
  });
  it('of the messages are all in Big5 or in the listed symbols of the font step', () => {
    const big5 = new TextDecoder('big5');
    const known = new Set<string>();
    for (let lead = 0xa1; lead <= 0xf9; lead += 1) for (let trail = 0x40; trail <= 0xfe; trail += 1) known.add(big5.decode(Uint8Array.of(lead, trail)));
    const script = readFileSync('scripts/fonts.mjs', 'utf8');
    for (const key of keys) for (const c of zh[key]) if (c > '\u017f' && !script.includes(c)) expect(known.has(c), `${c} in ${key}`).toBe(true);
  });
});

describe('style attributes', () => {
  it('are not in any template: the content policy forbids them', () => {
    for (const dir of ['src/components', 'src/pages', 'src/symbols', 'src']) {
      for (const e of readdirSync(dir)) if (e.endsWith('.svelte')) expect(readFileSync(join(dir, e), 'utf8'), e).not.toMatch(/\sstyle=/);
    }
    expect(readFileSync('index.html', 'utf8')).not.toMatch(/\sstyle=|<style|<script>(?!<)/);
  });
});
