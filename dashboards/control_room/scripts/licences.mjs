// List what ends up in the pages, with version and licence, from the installed packages' own metadata.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
/** Packages whose code or data is in dist: the runtime of Svelte and what it bundles, the chart, the font. */
const SHIPPED = ['svelte', 'esm-env', 'clsx', 'uplot', '@expo-google-fonts/noto-sans-tc'];
const list = SHIPPED.flatMap((name) => {
  const path = join(root, 'node_modules', name, 'package.json');
  if (!existsSync(path)) return [];
  const meta = JSON.parse(readFileSync(path, 'utf8'));
  const licence = name === '@expo-google-fonts/noto-sans-tc' ? 'OFL-1.1 (font), MIT (package)' : typeof meta.license === 'string' ? meta.license : '';
  if (!licence) throw new Error(`node_modules/${name}/package.json names no licence; look at it before it is shipped`);
  return [{ name: name === '@expo-google-fonts/noto-sans-tc' ? 'Noto Sans TC' : name, version: meta.version, license: licence }];
});
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
mkdirSync(join(root, 'src', 'generated'), { recursive: true });
writeFileSync(join(root, 'src', 'generated', 'licences.json'), `${JSON.stringify({ version, list }, null, 2)}\n`);
console.log(`licences: ${list.length} packages`);
