/** `/`: find a document or start one. */
import "../styles/documents.css";
import {
  createDocument,
  explain,
  listDocuments,
  renameDocument,
  restoreDocument,
  trashDocument,
  type DocumentEntry,
} from "../api";
import { el, fill, takesText } from "../dom";
import { identity } from "../identity";
import { Bar } from "./bar";
import { documentIdOf, editorPath, titleOf } from "./entry";
import { Row, TITLE_LENGTH } from "./row";
import { openTrash } from "./trash";
import { takeNotice } from "../notice";
import { listen, type CommandGroup } from "../ui/commands";
import { openPalette } from "../ui/palette";
import { openShortcuts } from "../ui/shortcuts";
import { showToast } from "../ui/toast";
import { lookCommands } from "../ui/look";
import { personCommands, plainActions } from "../ui/person";
import { signInPath } from "../sign-in/address";
import { textButton } from "../ui/button";

/** After the last key of a search, in ms: a word typed at speed asks once. */
const SEARCH_PAUSE = 120;
/** People come and go: the list is asked for again this often, in ms, while it is looked at. */
const REFRESH = 15_000;
/** Lists are a little behind what was just written: after coming from an editor they are asked for once more, in ms. */
const SECOND_LOOK = 2_000;
/** The longest page that the server gives. */
const PAGE_LIMIT = 200;
/** Nothing is said of loading before this, in ms: most answers are there sooner. */
const PATIENCE = 300;

export function show(root: HTMLElement): void {
  new DocumentsPage(root);
}

class DocumentsPage {
  private readonly bar = new Bar({
    search: () => this.searchSoon(),
    create: () => void this.create(""),
    trash: () => this.openTrash(),
  });
  private readonly list = el("ul", { class: "rows", "aria-label": "Documents" });
  private readonly note = el("div", { class: "note" });
  private readonly open = el("p", { class: "hint open-server" });
  private readonly count = el("p", { class: "visually-hidden", role: "status" });
  private readonly more = textButton({
    label: "Show more",
    class: "more",
    onClick: () => void this.load({ append: true }),
  });
  private readonly rows = new Map<string, Row>();
  /** In the order of the list. */
  private entries: DocumentEntry[] = [];
  /** On their way to the trash: an answer that was asked for before may still name them. */
  private readonly leaving = new Set<string>();
  private next: string | undefined;
  private asking = new AbortController();
  /** What is being asked for. */
  private loading: { append?: boolean; quietly?: boolean } | undefined;
  private searchTimer = 0;

  constructor(root: HTMLElement) {
    document.title = "Documents · quire";
    this.more.hidden = true;
    fill(
      root,
      this.bar.element,
      el(
        "main",
        { class: "documents" },
        el("h1", { class: "visually-hidden" }, "Documents"),
        this.count,
        this.note,
        this.list,
        this.more,
        this.open,
      ),
    );
    listen(() => this.commands());
    document.addEventListener("keydown", (event) => this.onKey(event));
    setInterval(() => this.rows.forEach((row) => row.tick()), 30_000);
    setInterval(() => this.refresh(), REFRESH);
    document.addEventListener("visibilitychange", () => this.refresh());
    // Coming back with the browser's Back button shows a page that was kept as it was left.
    window.addEventListener("pageshow", (event) => event.persisted && this.refresh());
    identity.onChange((user) => this.personChanged(user !== undefined));
    void this.showOpenness();
    this.showNotice();
    if (cameFromEditor()) setTimeout(() => this.refresh(), SECOND_LOOK);
    void this.load({});
  }

  /** Others than those who have signed in may read or write here: nobody should find out by accident. */
  private async showOpenness(): Promise<void> {
    const entrance = await identity.entrance().catch(() => undefined);
    const may = entrance?.guests === true && { viewer: "read", commenter: "read", editor: "read and write" }[entrance.link_role ?? ""];
    if (may) this.open.textContent = `This server is open: everyone who can reach this address can ${may}.`;
  }

  /** In another window, or since the server has ended a sign-in. */
  private personChanged(signedIn: boolean): void {
    if (!signedIn && identity.ended)
      showToast({
        text: "You were signed out. What you have written is saved.",
        action: { label: "Sign in", run: () => location.assign(signInPath()) },
        fault: true,
      });
    this.entries = [];
    void this.load({});
  }

  private showNotice(): void {
    const notice = takeNotice();
    if (notice?.trashed) this.offerRestore(notice.trashed);
  }

  private searchSoon(): void {
    clearTimeout(this.searchTimer);
    this.searchTimer = window.setTimeout(() => void this.load({}), SEARCH_PAUSE);
  }

  /** Asks for what is shown once more, unless the person is in the middle of something or looks elsewhere. */
  private refresh(): void {
    const busy = this.list.querySelector("input") ?? document.querySelector(".menu, dialog");
    // A list of several pages stays as it is: asked for anew, it would be shorter.
    const long = this.entries.length > PAGE_LIMIT;
    if (document.visibilityState === "visible" && !busy && !long) void this.load({ quietly: true });
  }

  private async load(what: { append?: boolean; quietly?: boolean }): Promise<void> {
    const { append = false, quietly = false } = what;
    this.asking.abort();
    const asking = (this.asking = new AbortController());
    this.loading = what;
    const query = this.bar.query;
    const patience = window.setTimeout(() => {
      if (this.entries.length === 0 && !quietly) fill(this.note, el("p", {}, "Loading documents…"));
    }, PATIENCE);
    try {
      const limit = append ? undefined : Math.min(PAGE_LIMIT, Math.max(50, this.entries.length));
      const found = await listDocuments(
        { query, ...(append && this.next && { cursor: this.next }), ...(limit && { limit }) },
        asking.signal,
      );
      const docs = found.docs.filter(({ id }) => !this.leaving.has(id));
      this.entries = append ? [...this.entries, ...docs] : docs;
      this.next = found.next;
      this.draw(query);
    } catch (error) {
      if (!asking.signal.aborted && !quietly) this.showFault(error);
    } finally {
      clearTimeout(patience);
      if (asking === this.asking) this.loading = undefined;
    }
  }

  private draw(query: string): void {
    const here = new Set(this.entries.map((entry) => entry.id));
    for (const [id, row] of this.rows) {
      if (here.has(id)) continue;
      row.element.remove();
      this.rows.delete(id);
    }
    this.entries.forEach((entry, index) => this.place(entry, index));
    this.more.hidden = this.next === undefined;
    this.count.textContent = this.entries.length === 1 ? "1 document" : `${this.entries.length} documents`;
    fill(this.note, this.entries.length === 0 && (query ? this.nothingFound(query) : this.invitation()));
    this.list.hidden = this.entries.length === 0;
  }

  /** Moves a row only if it is not where it belongs: a moved element loses the focus. */
  private place(entry: DocumentEntry, index: number): void {
    let row = this.rows.get(entry.id);
    if (row) row.update(entry);
    else {
      row = new Row(entry, {
        rename: (each, title) => void this.rename(each, title),
        trash: (each) => void this.trash(each),
      });
      this.rows.set(entry.id, row);
    }
    const there = this.list.children.item(index);
    if (there !== row.element) this.list.insertBefore(row.element, there);
  }

  private invitation(): HTMLElement {
    return el(
      "div",
      { class: "invitation" },
      el("div", { class: "invitation-sheet", "aria-hidden": "true" }, el("span"), el("span"), el("span")),
      el("h2", {}, "Start the first document"),
      el(
        "p",
        {},
        "Write alone or send its address to others: everybody types into the same page, and every change is kept.",
      ),
      textButton({ label: "New document", icon: "new", class: "primary", onClick: () => void this.create("") }),
    );
  }

  private nothingFound(query: string): HTMLElement {
    return el(
      "div",
      { class: "invitation" },
      el("h2", {}, `Nothing found for “${query}”`),
      el("p", {}, "Titles and first lines are searched."),
      textButton({
        label: `New document “${query}”`,
        icon: "new",
        onClick: () => void this.create(query.slice(0, TITLE_LENGTH)),
      }),
    );
  }

  private showFault(error: unknown): void {
    const retry = textButton({ label: "Try again", onClick: () => void this.load({}) });
    fill(
      this.note,
      el(
        "div",
        { class: "invitation", role: "alert" },
        el("p", {}, explain(error, "The documents could not be listed.")),
        retry,
      ),
    );
  }

  private async create(title: string): Promise<void> {
    try {
      const created = await createDocument(title);
      location.assign(editorPath(created.id));
    } catch (error) {
      showToast({ text: explain(error, "No document was created."), fault: true });
    }
  }

  private async rename(entry: DocumentEntry, title: string): Promise<void> {
    this.change(entry.id, { title });
    try {
      await renameDocument(entry.id, title);
    } catch (error) {
      this.change(entry.id, { title: entry.title });
      showToast({ text: explain(error, `“${titleOf(entry)}” keeps its title.`), fault: true });
    }
  }

  private change(id: string, part: Partial<DocumentEntry>): void {
    this.entries = this.entries.map((entry) => (entry.id === id ? { ...entry, ...part } : entry));
    this.draw(this.bar.query);
  }

  private async trash(entry: DocumentEntry): Promise<void> {
    const index = this.entries.findIndex((each) => each.id === entry.id);
    const remembered = this.entries;
    this.entries = remembered.filter((each) => each.id !== entry.id);
    this.draw(this.bar.query);
    this.focusNear(index);
    this.leaving.add(entry.id);
    try {
      await trashDocument(entry.id);
      // What was asked before knows nothing of it: it is asked again.
      if (this.loading) void this.load(this.loading);
      this.leaving.delete(entry.id);
      this.offerRestore({ id: entry.id, title: entry.title });
    } catch (error) {
      this.leaving.delete(entry.id);
      this.entries = remembered;
      this.draw(this.bar.query);
      showToast({ text: explain(error, `“${titleOf(entry)}” stays where it was.`), fault: true });
    }
  }

  private focusNear(index: number): void {
    const neighbour = this.entries[Math.min(index, this.entries.length - 1)];
    if (neighbour) this.rows.get(neighbour.id)?.focus();
    else this.bar.focusSearch();
  }

  private offerRestore(trashed: { id: string; title: string }): void {
    const undo = async () => {
      try {
        await restoreDocument(trashed.id);
        await this.load({});
        this.rows.get(trashed.id)?.focus();
      } catch (error) {
        showToast({ text: explain(error, `“${titleOf(trashed)}” is still in the trash.`), fault: true });
      }
    };
    showToast({ text: `“${titleOf(trashed)}” is in the trash.`, action: { label: "Undo", run: () => void undo() } });
  }

  private openTrash(): void {
    void openTrash(() => void this.load({ quietly: true }));
  }

  private onKey(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog, .menu")) return;
    if (event.key === "/" && !takesText(event.target)) {
      event.preventDefault();
      this.bar.focusSearch();
    }
    if (event.key === "ArrowDown" || event.key === "ArrowUp") this.walk(event);
  }

  /** Up and down go from the search field through the rows and back. */
  private walk(event: KeyboardEvent): void {
    const stops = [this.bar.field, ...this.list.querySelectorAll<HTMLElement>(".row-link")];
    const at = stops.findIndex((stop) => stop === document.activeElement);
    if (at < 0) return;
    event.preventDefault();
    stops[at + (event.key === "ArrowDown" ? 1 : -1)]?.focus();
  }

  private commands(): CommandGroup[] {
    return [
      {
        title: "Documents",
        commands: [
          { label: "New document", icon: "new", run: () => void this.create("") },
          { label: "Trash", icon: "trash", run: () => this.openTrash() },
          { label: "Search documents", icon: "search", keys: "/", elsewhere: true, run: () => this.bar.focusSearch() },
          {
            label: "Rename the selected document",
            icon: "rename",
            keys: "F2",
            elsewhere: true,
            hidden: true,
            run: () => undefined,
          },
          {
            label: "Move the selected document to the trash",
            icon: "trash",
            keys: "Delete",
            elsewhere: true,
            hidden: true,
            run: () => undefined,
          },
        ],
      },
      {
        title: "Page",
        commands: [
          {
            label: "Find a document or a command",
            icon: "search",
            keys: "Mod+K",
            hidden: true,
            run: () => openPalette(this.commands()),
          },
          { label: "Keyboard shortcuts", icon: "keyboard", keys: "Mod+/", run: () => openShortcuts(this.commands()) },
          ...personCommands(plainActions),
          ...lookCommands(),
        ],
      },
    ];
  }
}

function cameFromEditor(): boolean {
  const { referrer } = document;
  return referrer.startsWith(`${location.origin}/`) && documentIdOf(new URL(referrer).pathname) !== undefined;
}
