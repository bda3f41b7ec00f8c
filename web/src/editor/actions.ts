/** What can be done with the open document: for the menu, the palette, and the keyboard. */
import type { DocumentSession } from "@quire/client";
import { createDocument, explain, trashDocument } from "../api";
import { editorPath } from "../documents/entry";
import { leaveNotice } from "../notice";
import type { Command, CommandGroup } from "../ui/commands";
import { lookCommands, lookMenu } from "../ui/look";
import type { MenuEntry } from "../ui/menu";
import { openPalette } from "../ui/palette";
import { openShortcuts } from "../ui/shortcuts";
import { showToast } from "../ui/toast";
import { saveFirst } from "./leave";
import type { Outline } from "./outline";
import type { Title } from "./title";
import type { Toolbar } from "./toolbar";

export class Actions {
  constructor(
    private readonly session: DocumentSession,
    private readonly title: Title,
    private readonly toolbar: Toolbar,
    private readonly outline: Outline,
  ) {}

  menu(): MenuEntry[] {
    return [
      { label: "Find a document or a command", icon: "search", keys: "Mod+K", run: () => this.openPalette() },
      { label: "Keyboard shortcuts", icon: "keyboard", keys: "Mod+/", run: () => this.openShortcuts() },
      { label: "Copy the address", icon: "copy", run: () => void copyAddress() },
      "-",
      ...lookMenu(),
      "-",
      { label: "Move to trash", icon: "trash", danger: true, run: () => void this.trash() },
    ];
  }

  groups(): CommandGroup[] {
    return [
      { title: "Document", commands: this.documentCommands() },
      { title: "Page", commands: this.pageCommands() },
      this.toolbar.commands(),
    ];
  }

  private documentCommands(): Command[] {
    return [
      { label: "All documents", icon: "back", run: () => void this.goHome() },
      { label: "New document", icon: "new", run: () => void this.createAndOpen() },
      { label: "Change the title", icon: "rename", keys: "F2", run: () => this.title.focus() },
      { label: "Outline", icon: "outline", keys: "Mod+Alt+O", run: () => this.outline.toggle() },
      { label: "Undo", icon: "undo", keys: "Mod+Z", elsewhere: true, run: () => this.toolbar.undoOnce() },
      { label: "Redo", icon: "redo", keys: "Mod+Shift+Z", elsewhere: true, run: () => this.toolbar.redoOnce() },
      { label: "Copy the address", icon: "copy", run: () => void copyAddress() },
      { label: "Move to trash", icon: "trash", run: () => void this.trash() },
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
}

async function copyAddress(): Promise<void> {
  try {
    await navigator.clipboard.writeText(location.href);
    showToast({ text: "The address is copied. Whoever has it can write here." });
  } catch {
    showToast({ text: `The browser does not let pages copy. The address is ${location.href}`, fault: true });
  }
}
