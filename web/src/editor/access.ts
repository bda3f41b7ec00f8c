/** What the person may do with the open document, as the server says. */
import { openDocument, type DocumentEntry, type Permissions } from "../api";

type Listener = (access: Access) => void;

export class Access {
  private permissions: Permissions | undefined;
  private entry: DocumentEntry | undefined;
  private readonly listeners = new Set<Listener>();

  constructor(private readonly id: string) {}

  /** Asks the server, and tells who listens if something has changed. */
  async ask(): Promise<DocumentEntry> {
    const { metadata, permissions } = await openDocument(this.id);
    const news = JSON.stringify(permissions) !== JSON.stringify(this.permissions);
    this.permissions = permissions;
    this.entry = metadata;
    if (news) for (const listener of this.listeners) listener(this);
    return metadata;
  }

  onChange(listener: Listener): void {
    this.listeners.add(listener);
  }

  /** By the names of docs/permissions.md; whatever is not known yet is allowed, and refused by the server if it is not. */
  allows(action: string): boolean {
    return this.permissions?.actions.includes(action) ?? true;
  }

  get known(): boolean {
    return this.permissions !== undefined;
  }

  get role(): Permissions["role"] {
    return this.permissions?.role ?? null;
  }

  /** What whoever has the address may do. */
  get link(): Permissions["link"] {
    return this.permissions?.link ?? null;
  }

  get owner(): string | undefined {
    return this.entry?.owner;
  }
}
