// Who is signed in at this station, and what they may do.
import { api, Problem } from './api';
import type { Session } from './types';

class SessionState {
  current = $state.raw<Session | null>(null);
  /** `unknown` until the first answer; `ended` = was signed in, the picture stays, commands do not. */
  phase = $state<'unknown' | 'out' | 'in' | 'ended' | 'unreachable'>('unknown');

  async load(): Promise<void> {
    try {
      this.accept(await api.get<Session>('/session'));
    } catch (error) {
      if (error instanceof Problem && (error.status === 401 || error.status === 403)) this.phase = this.current ? 'ended' : 'out';
      else this.phase = this.current ? this.phase : 'unreachable';
    }
  }

  accept(session: Session): void {
    this.current = session;
    api.csrf = session.csrf;
    this.phase = 'in';
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
