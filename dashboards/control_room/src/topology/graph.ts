// A drawing's topology as data, and the walk that tells which parts are energised or carry flow. Pure.

export type Live = 'on' | 'off' | 'unknown';

export interface Node {
  id: string;
  /** Feeds what is behind it by itself: a supply, a running pump. Null = not known. */
  source?: boolean | null;
  /** Lets pass what reaches it: a closed breaker, a chiller with flow. Null = not known. Default true. */
  conducts?: boolean | null;
}

/** Direction of the link is the direction of supply. */
export interface Link {
  from: string;
  to: string;
}

const rank: Record<Live, number> = { off: 0, unknown: 1, on: 2 };
const best = (a: Live, b: Live): Live => (rank[a] >= rank[b] ? a : b);
const worst = (a: Live, b: Live): Live => (rank[a] <= rank[b] ? a : b);
const live = (claim: boolean | null): Live => (claim === null ? 'unknown' : claim ? 'on' : 'off');

export interface Walked {
  /** State at the node: what reaches it (an open breaker with voltage on its upper side is on). */
  at: Map<string, Live>;
  /** State behind the node: what it hands on. */
  behind: Map<string, Live>;
}

/** Walk from the sources. Each node is settled by its best supply; loops are allowed. */
export function walk(nodes: readonly Node[], links: readonly Link[]): Walked {
  const byId = new Map(nodes.map((n) => [n.id, n]));
  const out = new Map<string, string[]>();
  for (const link of links) {
    if (!byId.has(link.from) || !byId.has(link.to)) throw new Error(`link ${link.from} → ${link.to} names a node that the drawing does not have`);
    const list = out.get(link.from) ?? [];
    list.push(link.to);
    out.set(link.from, list);
  }
  const at = new Map<string, Live>();
  const behind = new Map<string, Live>();
  const queue: string[] = [];
  for (const node of nodes) {
    const start: Live = node.source === undefined ? 'off' : live(node.source);
    at.set(node.id, start);
    behind.set(node.id, 'off');
    if (start !== 'off') queue.push(node.id);
  }
  while (queue.length > 0) {
    const id = queue.shift() as string;
    const node = byId.get(id) as Node;
    const passes = worst(at.get(id) as Live, node.conducts === undefined ? 'on' : live(node.conducts));
    if (rank[passes] <= rank[behind.get(id) as Live]) continue;
    behind.set(id, passes);
    for (const next of out.get(id) ?? []) {
      const state = best(at.get(next) as Live, passes);
      if (state !== at.get(next)) {
        at.set(next, state);
        queue.push(next);
      }
    }
  }
  return { at, behind };
}
