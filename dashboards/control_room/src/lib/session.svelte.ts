// Who is signed in at this station, and what they may do.
import { api, Problem } from './api';
import type { Session } from './types';

const MARK = 'shifu.session';

/** A station where nobody is signed in knows it and does not ask: the refusal would be an error in the console. */
function mark(signedIn: boolean): void {
  try {
    localStorage.setItem(MARK, signedIn ? 'in' : 'out');
  } catch {
    // Storage refused: the next page asks the server, which is right too.
  }
}
function marked(): string | null {
  try {
    return localStorage.getItem(MARK);
  } catch {
    return 'in';
  }
}

class SessionState {
  current = $state.raw<Session | null>(null);
  /** `unknown` until the first answer; `ended` = was signed in, the picture stays, commands do not. */
  phase = $state<'unknown' | 'out' | 'in' | 'ended' | 'unreachable'>('unknown');

  /** First look of a page: asks the server unless this station is known to be signed out. */
  async begin(): Promise<void> {
    if (marked() === 'in') await this.load();
    else this.phase = 'out';
  }

  async load(): Promise<void> {
    try {
      this.accept(await api.get<Session>('/session'));
    } catch (error) {
      if (error instanceof Problem && (error.status === 401 || error.status === 403)) {
        this.phase = this.current ? 'ended' : 'out';
        mark(false);
      }
      else this.phase = this.current ? this.phase : 'unreachable';
    }
  }

  accept(session: Session): void {
    this.current = session;
    api.csrf = session.csrf;
    this.phase = 'in';
    mark(true);
  }

  async signIn(username: string, password: string): Promise<void> {
    await api.post<Session>('/session', { username, password });
    await this.load();
  }

  async signInByLink(token: string): Promise<void> {
    await api.post<Session>('/session/link', { token });
    await this.load();
  }

  async setPassword(next: string, current?: string): Promise<void> {
    await api.post('/session/password', current ? { current, new: next } : { new: next });
    await this.load();
  }

  async signOut(): Promise<void> {
    try {
      await api.delete('/session');
    } finally {
      this.current = null;
      this.phase = 'out';
      mark(false);
    }
  }

  ended(): void {
    if (this.current) this.phase = 'ended';
    else this.phase = 'out';
  }

  /** May the person do this in this area? The server decides again; this only hides what would be refused. */
  can(action: string, area?: string): boolean {
    if (this.phase !== 'in' || !this.current) return false;
    return this.current.permissions.some(
      (p) => (p.action === action || p.action === '*') && (!area || p.area === area || p.area === '*' || p.area === ''),
    );
  }
}

export const session = new SessionState();
