// Reports as the API lists them. Pure.
export interface Report {
  id: string; kind: 'day' | 'month'; first: string; made: string | null; made_by: string; over: boolean;
  quality: number | null; kwh: number | null; total: number | null; files: { language: 'zh' | 'en'; format: 'pdf' | 'xlsx'; size: number }[];
}
export interface Run { id: string; kind: 'day' | 'month'; first: string; by: string; state: 'waiting' | 'reading' | 'writing' | 'done' | 'failed'; asked: string | null; ended: string | null; message: string }
export interface Reports { items: Report[]; runs: Run[]; schedule: { kind: 'day' | 'month'; at: string; keep: number }[] }

/** Whether something is being made, so that the list is asked for again soon. */
export function busy(reports: Reports | undefined): boolean {
  return (reports?.runs ?? []).some((run) => run.state !== 'done' && run.state !== 'failed');
}

/** What is being made or failed; what is done is in the list. */
export function open(reports: Reports | undefined): Run[] {
  return (reports?.runs ?? []).filter((run) => run.state !== 'done');
}

/** Bytes as kB, at least 1. */
export function size(bytes: number): string {
  return `${Math.max(1, Math.round(bytes / 1024))} kB`;
}
