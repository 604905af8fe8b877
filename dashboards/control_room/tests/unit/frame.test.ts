// Frames from typed bytes: two values of point 7 and 300, written out by hand from the description of the stream.
import { describe, expect, it } from 'vitest';
import { decodeFrame, FrameError } from '../../src/lib/frame';

export const BYTES = Uint8Array.of(
  0x53, 0x46, 0x55, 0x31, // "SFU1"
  0x02, 0x00, 0x00, 0x00, // sequence 2
  0x00, 0x00, 0x00, 0x00, 0x00, 0x40, 0x8f, 0x40, // server time 1000.0 ms
  0x02, 0x00, 0x00, 0x00, // two values
  0x01, 0x00, 0x05, 0x00, // snapshot, topic 5
  0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xf8, 0x3f, // 1.5
  0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xf8, 0x7f, // NaN
  0x07, 0x00, 0x00, 0x00, // number 7
  0x2c, 0x01, 0x00, 0x00, // number 300
  0x00, 0x00, 0x00, 0x3f, // age 0.5 s
  0x00, 0x00, 0x20, 0x41, // age 10 s
  0x00, // good
  0x80, // bad, communication
);
const copy = (): ArrayBuffer => BYTES.slice().buffer;

describe('decodeFrame', () => {
  it('reads header and columns', () => {
    const frame = decodeFrame(copy());

    expect(frame.sequence).toBe(2);
    expect(frame.time).toBe(1000);
    expect(frame.snapshot).toBe(true);
    expect(frame.topic).toBe(5);
    expect([...frame.value]).toEqual([1.5, Number.NaN]);
    expect([...frame.number]).toEqual([7, 300]);
    expect([...frame.age]).toEqual([0.5, 10]);
    expect([...frame.quality]).toEqual([0, 128]);
  });
  it('reads a topic above 32767 as unsigned', () => {
    const bytes = BYTES.slice();
    bytes[23] = 0xff;
    expect(decodeFrame(bytes.buffer).topic).toBe(0xff05);
  });
  it('refuses another version, a short header and missing values', () => {
    const other = BYTES.slice();
    other[3] = 0x32;
    expect(() => decodeFrame(other.buffer)).toThrow(FrameError);
    expect(() => decodeFrame(BYTES.slice(0, 23).buffer)).toThrow(/23 bytes/);
    expect(() => decodeFrame(BYTES.slice(0, 57).buffer)).toThrow(/wanted 58/);
  });
});
