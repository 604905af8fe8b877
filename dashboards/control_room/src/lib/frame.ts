// The binary value frame of the stream (little-endian): 24-byte header, then columns. Source: HTTP API reference, stream.

export const MAGIC = 0x31554653; // "SFU1"

export interface Frame {
  sequence: number;
  /** Server time, ms since 1970 UTC. */
  time: number;
  count: number;
  snapshot: boolean;
  topic: number;
  value: Float64Array;
  number: Uint32Array;
  /** Server time minus source time, s. */
  age: Float32Array;
  quality: Uint8Array;
}

export class FrameError extends Error {}

/** Views into the message, without a copy. Throws FrameError when the bytes are not a frame of this version. */
export function decodeFrame(buffer: ArrayBuffer): Frame {
  if (buffer.byteLength < 24) throw new FrameError(`frame of ${buffer.byteLength} bytes, the header alone has 24`);
  const view = new DataView(buffer);
  const magic = view.getUint32(0, true);
  if (magic !== MAGIC) throw new FrameError(`frame begins with 0x${magic.toString(16)}, wanted 0x${MAGIC.toString(16)}`);
  const count = view.getUint32(16, true);
  const flags = view.getUint32(20, true);
  const wanted = 24 + count * 17;
  if (buffer.byteLength < wanted) throw new FrameError(`frame of ${count} values has ${buffer.byteLength} bytes, wanted ${wanted}`);
  return {
    sequence: view.getUint32(4, true),
    time: view.getFloat64(8, true),
    count,
    snapshot: (flags & 1) === 1,
    topic: flags >>> 16,
    value: new Float64Array(buffer, 24, count),
    number: new Uint32Array(buffer, 24 + count * 8, count),
    age: new Float32Array(buffer, 24 + count * 12, count),
    quality: new Uint8Array(buffer, 24 + count * 16, count),
  };
}
