import { expect, it } from 'vitest';
import { stepsOf } from '../../src/lib/steps';

it('takes numbered steps apart, with and without dots', () => {
  expect(stepsOf('1 See on the fire page what did not follow 2 Send somebody to work it by hand 3 Tell the commander')).toEqual([
    'See on the fire page what did not follow', 'Send somebody to work it by hand', 'Tell the commander',
  ]);
  expect(stepsOf('1 於消防頁查看未動作的項目 2 派員現場手動操作 3 回報指揮官')).toHaveLength(3);
  expect(stepsOf('1. Look 2. Call')).toEqual(['Look', 'Call']);
});
it('leaves numbers inside of a step alone', () => {
  expect(stepsOf('1 有傷病或 30 分鐘未解救，通報 119 2 非合格人員不得自行開門')).toEqual(['有傷病或 30 分鐘未解救，通報 119', '非合格人員不得自行開門']);
  expect(stepsOf('1 Wait 2 minutes 2 Call the guard')).toEqual(['Wait 2 minutes', 'Call the guard']);
  expect(stepsOf('1 等 2 分鐘 2 通知廠商')).toEqual(['等 2 分鐘', '通知廠商']);
  expect(stepsOf('Reduce the load; see that 2 fans run')).toEqual(['Reduce the load; see that 2 fans run']);
  expect(stepsOf('')).toEqual([]);
});
