// Who is signed in at this station, and what they may do.
import { api, Problem } from './api';
import { phoneStore } from './phonestore';
import { forget } from './warden';
import type { Session } from './types';

const MARK = 'shifu.session';

/** A station where nobody is signed in knows it and does not ask: the refusal would be an error in the console. */
function mark(state: 'in' | 'out' | 'lapsed'): void {
  try {
    localStorage.setItem(MARK, state);
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
  /**
   * `unknown` until the first answer; `ended` = was signed in, the picture stays, commands do not; `lapsed` = the
   * sign-in ran out while there was no network: what this phone has kept may be gone on with, nothing else.
   */
  phase = $state<'unknown' | 'out' | 'in' | 'ended' | 'unreachable' | 'lapsed'>('unknown');

  /** First look of a page: asks the server unless this station is known to be signed out. */
  async begin(): Promise<void> {
    const state = marked();
    if (state === 'in') await this.load();
    else this.phase = state === 'lapsed' ? 'lapsed' : 'out';
  }

  async load(): Promise<void> {
    try {
      this.accept(await api.get<Session>('/session'));
    } catch (error) {
      if (error instanceof Problem && (error.status === 401 || error.status === 403)) {
        this.phase = this.current ? 'ended' : this.phase === 'unreachable' ? 'lapsed' : 'out';
        mark(this.phase === 'out' ? 'out' : 'lapsed');
      }
      else this.phase = this.current ? this.phase : 'unreachable';
    }
  }

  accept(session: Session): void {
    this.current = session;
    api.csrf = session.csrf;
    this.phase = 'in';
    mark('in');
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
      mark('out');
      // Who is on which floor is nothing for the next person with this phone.
      await forget(phoneStore).catch(() => undefined);
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
