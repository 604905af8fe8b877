// What a phone keeps for itself, in IndexedDB: there when the page is loaded again without a network, and after a dead
// battery, for each change is on the disk before it is shown.

/** Values by key; everything throws when the phone cannot. */
export interface Store {
  /** Every value whose key begins with this, in the order of the keys. */
  all(prefix: string): Promise<[string, unknown][]>;
  /** Write and remove together, or nothing of it; done when it is on the disk. */
  change(put: [string, unknown][], remove?: string[]): Promise<void>;
}

const NAME = 'shifu-phone';
const TABLE = 'kept';

function done<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error('IndexedDB'));
  });
}

export class PhoneStore implements Store {
  #database: Promise<IDBDatabase> | null = null;

  #open(): Promise<IDBDatabase> {
    this.#database ??= new Promise((resolve, reject) => {
      const request = indexedDB.open(NAME, 1);
      request.onupgradeneeded = () => request.result.createObjectStore(TABLE);
      request.onsuccess = () => {
        // Another tab with a newer version must not wait for this one.
        request.result.onversionchange = () => this.#forget(request.result);
        request.result.onclose = () => (this.#database = null);
        resolve(request.result);
      };
      request.onerror = () => {
        this.#database = null;
        reject(request.error ?? new Error('IndexedDB'));
      };
    });
    return this.#database;
  }

  #forget(database: IDBDatabase): void {
    database.close();
    this.#database = null;
  }

  async all(prefix: string): Promise<[string, unknown][]> {
    const table = (await this.#open()).transaction(TABLE).objectStore(TABLE);
    const range = IDBKeyRange.bound(prefix, `${prefix}\uffff`);
    const [keys, values] = await Promise.all([done(table.getAllKeys(range)), done(table.getAll(range))]);
    return keys.map((key, at) => [String(key), values[at] as unknown]);
  }

  async change(put: [string, unknown][], remove: string[] = []): Promise<void> {
    const transaction = (await this.#open()).transaction(TABLE, 'readwrite', { durability: 'strict' });
    const table = transaction.objectStore(TABLE);
    for (const key of remove) table.delete(key);
    for (const [key, value] of put) table.put(value, key);
    await new Promise<void>((resolve, reject) => {
      transaction.oncomplete = () => resolve();
      transaction.onabort = () => reject(transaction.error ?? new Error('IndexedDB'));
    });
  }
}

export const phoneStore: Store = new PhoneStore();
