// What an alarm says to do: "1 … 2 …" or "1. … 2. …" are steps, any other text is one.

/** The steps of a text, in order; a number is one only where the one before it came, so that "after 30 minutes" stays together. */
export function stepsOf(text: string): string[] {
  const found: string[] = [];
  let rest = text.trim();
  for (let n = 1; ; n += 1) {
    const head = new RegExp(`^${n}\\.?\\s+`).exec(rest);
    if (!head) break;
    rest = rest.slice(head[0].length);
    // English steps begin with a capital, Chinese ones with a character or a quotation mark: "wait 2 minutes" does not.
    const next = new RegExp(`\\s${n + 1}\\.?\\s+(?=[A-Z\\u3000-\\u9fff"])(?![分秒時小度])`).exec(rest);
    found.push((next ? rest.slice(0, next.index) : rest).trim());
    if (!next) break;
    rest = rest.slice(next.index).trim();
  }
  return found.length > 0 ? found : [text.trim()].filter(Boolean);
}
