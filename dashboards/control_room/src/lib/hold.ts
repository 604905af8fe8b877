// A history of changes says nothing while nothing changes: the last value is held until the next one, and shown as held.

/**
 * Values to draw dashed: at every gap of `known` the value before it, joined to its neighbours; null where measured.
 * `before` is the value ahead of the window; nothing is held past index `until`. Pure.
 */
export function held(known: readonly (number | null)[], before: number | null, until = known.length - 1): (number | null)[] {
  const out: (number | null)[] = new Array(known.length).fill(null);
  let last = before;
  let gap = before !== null && known[0] === null;
  for (let i = 0; i < known.length; i += 1) {
    const value = known[i] ?? null;
    if (value !== null) {
      // A held line ends where measuring goes on: at the old value, a step and not a slope.
      if (gap && last !== null) out[i] = last;
      last = value;
      gap = false;
    } else if (last !== null && i <= until) {
      if (!gap && i > 0) out[i - 1] = last;
      out[i] = last;
      gap = true;
    }
  }
  return out;
}
