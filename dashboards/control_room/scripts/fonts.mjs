// Make the two weights of Noto Sans TC that the pages load: Latin, symbols and the 5,401 characters of Big5 level 1
// (preloaded), and the 7,652 of level 2 (names of persons and places; loaded when one of them appears).
// The Big5 table is the platform's own TextDecoder, so no list is kept here. Output is cached by the hash of the inputs.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const require = createRequire(import.meta.url);
const fontPackage = dirname(require.resolve('@expo-google-fonts/noto-sans-tc/package.json'));
const out = join(root, 'src', 'generated', 'fonts');
// Reports (PDF) want the same font as TrueType; in `public` it comes into `dist` as it is.
const reports = join(root, 'public', 'generated', 'fonts');
const big5 = new TextDecoder('big5');

/** Characters of Big5 rows `from`..`to` (lead byte in the high half). */
function rows(from, to) {
  let text = '';
  for (let lead = from >> 8; lead <= to >> 8; lead += 1) {
    for (let trail = 0x40; trail <= 0xfe; trail += 1) {
      if (trail > 0x7e && trail < 0xa1) continue;
      const code = (lead << 8) | trail;
      if (code < from || code > to) continue;
      const char = big5.decode(Uint8Array.of(lead, trail));
      if (char !== '\uFFFD' && [...char].length === 1) text += char;
    }
  }
  return text;
}

function range(from, to) {
  return String.fromCodePoint(...Array.from({ length: to - from + 1 }, (_, i) => from + i));
}

/** Every character that the messages and the configuration of the repository use. */
function used() {
  const chars = new Set();
  const walk = (dir, pattern) => {
    if (!existsSync(dir)) return;
    for (const entry of readdirSync(dir, { withFileTypes: true })) {
      const path = join(dir, entry.name);
      if (entry.isDirectory()) walk(path, pattern);
      else if (pattern.test(entry.name)) for (const c of readFileSync(path, 'utf8')) if (c > '\u007e') chars.add(c);
    }
  };
  walk(join(root, 'src', 'lib', 'i18n'), /\.ts$/);
  walk(join(root, '..', '..', 'config'), /\.(toml|csv)$/);
  return chars;
}

const latin = range(0x20, 0x7e) + range(0xa0, 0x17f);
const symbols =
  '–—‘’“”…′″‹›※€℃℉№™ΩΔαβγμπ²³·×÷±−≈≠≤≥√∞←↑→↓⇒■□▲△▶▼▽◀◆◇●○◎★☆⚠✓㎡㎥ⅠⅡⅢⅣⅤ' + range(0x3000, 0x301f) + range(0xff01, 0xff5e);
const level1 = rows(0xa440, 0xc67e);
const level2 = rows(0xc940, 0xf9d5);
if (level1.length !== 5401 || level2.length < 7600) {
  throw new Error(`the platform's Big5 table gave ${level1.length} and ${level2.length} characters, wanted 5401 and 7652; ` +
    'use a Node.js built with full ICU');
}
const core = latin + symbols + level1;

const jobs = [
  { name: 'noto-sans-tc-400', file: '400Regular/NotoSansTC_400Regular.ttf', text: core },
  { name: 'noto-sans-tc-500', file: '500Medium/NotoSansTC_500Medium.ttf', text: core },
  { name: 'noto-sans-tc-rare', file: '400Regular/NotoSansTC_400Regular.ttf', text: level2 },
  { name: 'report-400', file: '400Regular/NotoSansTC_400Regular.ttf', text: core, format: 'truetype' },
  { name: 'report-500', file: '500Medium/NotoSansTC_500Medium.ttf', text: core, format: 'truetype' },
];

const version = JSON.parse(readFileSync(join(fontPackage, 'package.json'), 'utf8')).version;
const extra = [...used()].filter((c) => !core.includes(c)).sort().join('');
const key = createHash('sha256').update(JSON.stringify([version, extra, readFileSync(fileURLToPath(import.meta.url), 'utf8')])).digest('hex');
const stamp = join(out, 'stamp');
if (existsSync(reports) && existsSync(stamp) && readFileSync(stamp, 'utf8') === key) {
  console.log('fonts: up to date');
  process.exit(0);
}

const { default: subsetFont } = await import('subset-font');
mkdirSync(out, { recursive: true });
mkdirSync(reports, { recursive: true });
const unicodeRange = (text) => {
  const points = [...new Set([...text].map((c) => c.codePointAt(0)))].sort((a, b) => a - b);
  const parts = [];
  for (let i = 0; i < points.length; ) {
    let j = i;
    while (j + 1 < points.length && points[j + 1] === points[j] + 1) j += 1;
    parts.push(i === j ? `U+${points[i].toString(16)}` : `U+${points[i].toString(16)}-${points[j].toString(16)}`);
    i = j + 1;
  }
  return parts.join(',');
};
for (const job of jobs) {
  const text = job.name.endsWith('rare') ? job.text : job.text + extra;
  const started = performance.now();
  const data = await subsetFont(readFileSync(join(fontPackage, job.file)), text, { targetFormat: job.format ?? 'woff2', noLayoutClosure: true });
  writeFileSync(job.format ? join(reports, `${job.name}.ttf`) : join(out, `${job.name}.woff2`), data);
  console.log(`fonts: ${job.name} ${(data.length / 1024).toFixed(0)} kB in ${((performance.now() - started) / 1000).toFixed(1)} s`);
}
writeFileSync(
  join(out, 'fonts.css'),
  `@font-face { font-family: 'Noto Sans TC'; font-weight: 400; font-display: swap; src: url('./noto-sans-tc-400.woff2') format('woff2'); }
@font-face { font-family: 'Noto Sans TC'; font-weight: 500 600; font-display: swap; src: url('./noto-sans-tc-500.woff2') format('woff2'); }
@font-face { font-family: 'Noto Sans TC Rare'; font-weight: 400 600; font-display: swap; src: url('./noto-sans-tc-rare.woff2') format('woff2'); unicode-range: ${unicodeRange(level2)}; }
`,
);
writeFileSync(stamp, key);
console.log(`fonts: wrote ${relative(root, out)}`);
