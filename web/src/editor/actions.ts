/** What can be done with the open document: for the menu, the palette, and the keyboard. */
import type { DocumentSession } from "@quire/client";
import { createDocument, explain, trashDocument } from "../api";
import { editorPath, titleOf } from "../documents/entry";
import { leaveNotice } from "../notice";
import type { Command, CommandGroup } from "../ui/commands";
import { lookCommands, lookMenu } from "../ui/look";
import type { MenuEntry } from "../ui/menu";
import { openPalette } from "../ui/palette";
import { personCommands, personMenu, type PersonActions } from "../ui/person";
import { openShortcuts } from "../ui/shortcuts";
import { showToast } from "../ui/toast";
import { addressText } from "../sharing/roles";
import type { Access } from "./access";
import { saveFirst } from "./leave";
import type { Outline } from "./outline";
import type { Title } from "./title";
import type { Toolbar } from "./toolbar";

export interface ActionParts {
  session: DocumentSession;
  access: Access;
  title: Title;
  toolbar: Toolbar;
  outline: Outline;
}

export class Actions {
  private readonly session: DocumentSession;
  private readonly access: Access;
  private readonly title: Title;
  private readonly toolbar: Toolbar;
  private readonly outline: Outline;
  /** Signing in keeps the page; another page is gone to when everything is saved. */
  readonly person: PersonActions = {
    signIn: () => void this.signIn(),
    leave: (path) => this.leave(path),
  };
  private sharing = false;

  constructor(parts: ActionParts) {
    ({
      session: this.session,
      access: this.access,
      title: this.title,
      toolbar: this.toolbar,
      outline: this.outline,
    } = parts);
  }

  /** Signs somebody in where they are. `why` is said above the form. */
  async signIn(why?: string): Promise<void> {
    if (document.querySelector("dialog .sign-in")) return;
    try {
      const { openSignIn } = await import("../sign-in/dialog");
      await openSignIn(why);
    } catch (error) {
      showToast({ text: explain(error, "You are not signed in."), fault: true });
    }
  }

  /** Saves, and goes to another page; without one it only saves. */
  async leave(path: string): Promise<void> {
    await saveFirst(this.session, this.title);
    if (path) location.assign(path);
  }

  async share(): Promise<void> {
    if (this.sharing) return;
    this.sharing = true;
    try {
      const { openSharing } = await import("../sharing/dialog");
      const { id } = this.session;
      const here = () => ({ you: this.session.user, peers: this.session.peers });
      await openSharing({ id, title: titleOf({ title: this.title.text }), access: this.access, here });
    } catch (error) {
      showToast({ text: explain(error, "Nothing was shared."), fault: true });
    } finally {
      this.sharing = false;
    }
  }

  menu(): MenuEntry[] {
    return [
      { label: "Find a document or a command", icon: "search", keys: "Mod+K", run: () => this.openPalette() },
      { label: "Keyboard shortcuts", icon: "keyboard", keys: "Mod+/", run: () => this.openShortcuts() },
      { label: "Share", icon: "share", run: () => void this.share() },
      { label: "Copy the address", icon: "copy", run: () => void this.copyAddress() },
      "-",
      ...personMenu(this.person),
      "-",
      ...lookMenu(),
      ...this.trashMenu(),
    ];
  }

  groups(): CommandGroup[] {
    const reads = this.session.role === "viewer" || this.session.role === "commenter";
    return [
      { title: "Document", commands: this.documentCommands(!reads) },
      { title: "Page", commands: this.pageCommands() },
      ...(reads ? [] : [this.toolbar.commands()]),
    ];
  }

  private trashMenu(): MenuEntry[] {
    if (!this.access.allows("trash")) return [];
    return ["-", { label: "Move to trash", icon: "trash", danger: true, run: () => void this.trash() }];
  }

  private documentCommands(edits: boolean): Command[] {
    const editing: Command[] = [
      { label: "Undo", icon: "undo", keys: "Mod+Z", elsewhere: true, run: () => this.toolbar.undoOnce() },
      { label: "Redo", icon: "redo", keys: "Mod+Shift+Z", elsewhere: true, run: () => this.toolbar.redoOnce() },
    ];
    const rename: Command = { label: "Change the title", icon: "rename", keys: "F2", run: () => this.title.focus() };
    const trash: Command = { label: "Move to trash", icon: "trash", run: () => void this.trash() };
    return [
      { label: "All documents", icon: "back", run: () => void this.goHome() },
      { label: "New document", icon: "new", run: () => void this.createAndOpen() },
      ...(this.access.allows("rename") ? [rename] : []),
      { label: "Share", icon: "share", run: () => void this.share() },
      { label: "Outline", icon: "outline", keys: "Mod+Alt+O", run: () => this.outline.toggle() },
      ...(edits ? editing : []),
      { label: "Copy the address", icon: "copy", run: () => void this.copyAddress() },
      ...(this.access.allows("trash") ? [trash] : []),
    ];
  }

  private pageCommands(): Command[] {
    return [
      {
        label: "Find a document or a command",
        icon: "search",
        keys: "Mod+K",
        hidden: true,
        run: () => this.openPalette(),
      },
      { label: "Keyboard shortcuts", icon: "keyboard", keys: "Mod+/", run: () => this.openShortcuts() },
      {
        label: "Leave the sheet: Esc, then Tab",
        icon: "keyboard",
        keys: "Escape",
        elsewhere: true,
        hidden: true,
        run: () => undefined,
      },
      ...personCommands(this.person),
      ...lookCommands(),
    ];
  }

  private openPalette(): void {
    openPalette(this.groups());
  }

  private openShortcuts(): void {
    openShortcuts(this.groups());
  }

  private async goHome(): Promise<void> {
    await saveFirst(this.session, this.title);
    location.assign("/");
  }

  private async createAndOpen(): Promise<void> {
    try {
      const [created] = await Promise.all([createDocument(), saveFirst(this.session, this.title)]);
      location.assign(editorPath(created.id));
    } catch (error) {
      showToast({ text: explain(error, "No document was created."), fault: true });
    }
  }

  /** Goes to the list, which offers to take it back. What is still on its way is saved first. */
  private async trash(): Promise<void> {
    try {
      await saveFirst(this.session, this.title);
      await trashDocument(this.session.id);
      leaveNotice({ trashed: { id: this.session.id, title: this.title.text } });
      location.assign("/");
    } catch (error) {
      showToast({ text: explain(error, "The document stays where it was."), fault: true });
    }
  }

  private async copyAddress(): Promise<void> {
    try {
      await navigator.clipboard.writeText(location.href);
      showToast({ text: `The address is copied. ${addressText(this.access.link)}` });
    } catch {
      showToast({ text: `The browser does not let pages copy. The address is ${location.href}`, fault: true });
    }
  }
}
