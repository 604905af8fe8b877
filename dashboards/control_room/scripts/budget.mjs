// Refuse a build whose first page loads more than 250 kB of script (gzip), or that would break the content policy.
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

const dist = join(dirname(fileURLToPath(import.meta.url)), '..', 'dist');
const LIMIT = 250 * 1024;
const html = readFileSync(join(dist, 'index.html'), 'utf8');
const first = [...html.matchAll(/(?:src|href)="(\/[^"]+\.js)"/g)].map((m) => m[1]);
const size = first.reduce((sum, path) => sum + gzipSync(readFileSync(join(dist, path))).length, 0);
const all = readdirSync(dist, { recursive: true }).map(String).filter((name) => statSync(join(dist, name)).isFile());
const total = all.reduce((sum, name) => sum + statSync(join(dist, name)).size, 0);
console.log(`budget: first page ${(size / 1024).toFixed(1)} kB of script (gzip), limit ${LIMIT / 1024} kB; dist ${(total / 1048576).toFixed(2)} MB`);
if (size > LIMIT) throw new Error(`the first page loads ${(size / 1024).toFixed(1)} kB of script; load what it does not need later`);
if (/<script(?![^>]*\bsrc=)/.test(html) || /\sstyle="/.test(html) || /<style/.test(html)) throw new Error('dist/index.html has inline script or style; the content policy forbids both');
if (/data:/.test(html)) throw new Error('dist/index.html embeds a data: address; the content policy forbids it');
