import { beforeEach, describe, expect, it } from 'vitest';
import { href, match, router } from '../../src/lib/router.svelte';

describe('match', () => {
  it('finds pages and decodes parameters', () => {
    expect(match('/')).toEqual({ page: 'overview', params: {} });
    expect(match('/alarms/')).toEqual({ page: 'alarms', params: {} });
    expect(match(href.alarm('b.s.e.t#high'))).toEqual({ page: 'alarm', params: { id: 'b.s.e.t#high' } });
    expect(match(href.point('b.s.e.t'))).toEqual({ page: 'point', params: { address: 'b.s.e.t' } });
  });
  it('takes addresses with dots and with slashes, and links with slashes', () => {
    expect(href.point('b.s.e.t')).toBe('/points/b/s/e/t');
    expect(match('/points/b.s.e.t')).toEqual({ page: 'point', params: { address: 'b.s.e.t' } });
    expect(href.alarm('b.s.e.t#high')).toBe('/alarms/b/s/e/t%23high');
    expect(match('/equipment/b/s/e')).toEqual({ page: 'equipment', params: { address: 'b.s.e' } });
  });
  it('says of other paths that they are missing', () => {
    expect(match('/devices/a/b').page).toBe('missing');
    expect(match('/points/').page).toBe('missing');
    expect(match('/nowhere').page).toBe('missing');
    expect(match('/points/%E0%A4%A').page).toBe('missing');
  });
});

describe('router', () => {
  beforeEach(() => router.go('/', true));
  it('keeps state of a page in the address', () => {
    router.go('/trend?points=a,b');
    router.set({ range: '7d', compare: null });
    expect(location.search).toBe('?points=a%2Cb&range=7d');
    expect(router.query.get('points')).toBe('a,b');
    router.set({ range: null });
    expect(router.query.has('range')).toBe(false);
  });
  it('follows links of the application without loading the page', () => {
    document.body.innerHTML = '<a id="in" href="/plant"><b>x</b></a><a id="api" href="/api/v1/history">y</a>';
    document.addEventListener('click', router.handleClick);
    document.querySelector('b')?.dispatchEvent(new MouseEvent('click', { bubbles: true, cancelable: true }));
    expect(router.route.page).toBe('plant');

    const event = new MouseEvent('click', { bubbles: true, cancelable: true });
    document.addEventListener('click', (e) => e.preventDefault(), { once: true });
    const before = router.path;
    document.getElementById('api')?.dispatchEvent(event);
    expect(router.path).toBe(before);
    document.removeEventListener('click', router.handleClick);
    document.body.innerHTML = '';
  });
});
