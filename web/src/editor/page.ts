/** `/d/{id}`: write together. Puts the parts of the page together and passes on what the session says. */
import "../styles/editor.css";
import "../styles/sheet.css";
import { askBeforeLeaving, open, type DocumentSession } from "@quire/client";
import { bindQuill } from "@quire/client/quill";
import { RequestFailed, explain, presentLink, restoreDocument } from "../api";
import { el, fill } from "../dom";
import { identity } from "../identity";
import { onSettings, settings } from "../settings";
import { listen } from "../ui/commands";
import { showToast } from "../ui/toast";
import { fitToKeyboard } from "../ui/viewport";
import { Access } from "./access";
import { Actions } from "./actions";
import { Carets } from "./carets";
import { admitEmbeds } from "./embeds";
import { drawHeader } from "./header";
import { LinkCard } from "./link-card";
import { LostShelf } from "./lost";
import { Merged } from "./merged";
import { Outline } from "./outline";
import { PeopleBar } from "./people-bar";
import { complaintText, refusedText } from "./reasons";
import { showRefusal } from "./refusal";
import { claimClient } from "./replica";
import { takeShareLink } from "./share-link";
import { createSheet } from "./sheet";
import { StateLine, describe, type Action } from "./state-line";
import { StatusBar } from "./status-bar";
import { Title } from "./title";
import { Toolbar } from "./toolbar";

/** The state line is drawn again this often, in ms: it counts seconds down and notices what takes long. */
const TICK = 250;
/** "Merged 12 offline changes" stays this long, in ms. */
const MERGED_STAYS = 15_000;

/** Answers to the first request that no waiting changes. */
const FINAL = new Set([401, 403, 404]);

/** Opens the document `id` in `root`, or says there why that is not possible. */
export async function show(root: HTMLElement, id: string): Promise<void> {
  fitToKeyboard();
  const link = takeShareLink(id);
  if (link !== undefined) presentLink(id, link);
  const client = await claimClient(identity.user?.id);
  const session = open({
    url: location.origin,
    doc: id,
    name: settings().name,
    token: (rejected) => identity.fetchToken(rejected),
    ...(client && { client }),
    ...(link !== undefined && { link }),
  });
  const access = new Access(id);
  const page = new EditorPage(root, session, access);
  try {
    page.title.show((await access.ask()).title);
  } catch (error) {
    // Everything else passes: the session goes on trying, and the state line says so.
    if (error instanceof RequestFailed && FINAL.has(error.status)) {
      session.close();
      showRefusal(root, id, error);
    }
  }
}

class EditorPage {
  readonly title: Title;
  private readonly holder = el("div", { id: "sheet", class: "sheet-text" });
  private readonly quill = createSheet(this.holder);
  private readonly carets: Carets;
  private readonly outline = new Outline(this.quill);
  private readonly people = new PeopleBar(
    (user) => this.carets.goTo(user),
    () => void this.actions.leave("/account"),
  );
  private readonly stateLine = new StateLine((action) => void this.act(action));
  private readonly statusBar = new StatusBar();
  private readonly lost = new LostShelf();
  private readonly merged = new Merged();
  private readonly toolbar: Toolbar;
  private readonly actions: Actions;
  private goneSince: number | undefined;
  private connectedSince: number | undefined;
  private mergedTimer = 0;

  constructor(
    private readonly root: HTMLElement,
    private readonly session: DocumentSession,
    private readonly access: Access,
  ) {
    this.carets = new Carets(this.quill, () => session.peers);
    this.title = new Title(
      session.id,
      async () => (await access.ask()).title,
      () => this.quill.focus(),
      () => session.peers.length > 0,
    );
    this.toolbar = new Toolbar(this.quill, session);
    const actions = (this.actions = new Actions({
      session,
      access,
      title: this.title,
      toolbar: this.toolbar,
      outline: this.outline,
    }));
    fill(
      root,
      drawHeader({
        session,
        title: this.title,
        stateLine: this.stateLine,
        people: this.people,
        outline: this.outline,
        actions,
      }),
      this.toolbar.element,
      el(
        "main",
        { class: "desk" },
        el("div", { class: "sheet" }, this.holder, this.carets.element, new LinkCard(this.quill).element),
      ),
      this.outline.element,
      this.lost.element,
      this.statusBar.element,
      el("p", { id: "sheet-help", class: "visually-hidden" }, "Press Escape and then Tab to leave the sheet."),
    );
    root.classList.add("editor");
    // Before the binding listens, so that Quill knows each embed when it comes.
    session.on("ready", () => admitEmbeds(session.content));
    session.on("change", ({ delta }) => admitEmbeds(delta));
    bindQuill(this.quill, session, {
      onRefused: (error) => showToast({ text: refusedText(error), fault: true }),
      onUnsupported: () =>
        showToast({
          text: "This document holds something that cannot be shown here. You can read it, but not change it.",
          fault: true,
        }),
    });
    askBeforeLeaving(session);
    askBeforeLeaving(this.title);
    listen(() => actions.groups());
    this.follow();
  }

  private follow(): void {
    const { session } = this;
    session.on("ready", () => this.begin());
    session.on("change", (change) => {
      this.merged.onChange(change);
      this.carets.follow(change.source === "remote" ? change.client : undefined);
    });
    session.on("connection", (status) => {
      this.showPeople();
      const connected = status.state === "connected";
      if (connected && this.goneSince !== undefined) this.title.reconnected();
      this.goneSince = connected ? undefined : (this.goneSince ?? Date.now());
      this.connectedSince = connected ? (this.connectedSince ?? Date.now()) : undefined;
      this.merged.onConnection(status, session.pendingCount);
    });
    session.on("saved", ({ saved, pendingCount }) => this.merged.onSaved(saved, pendingCount));
    this.title.on("saved", () => this.draw());
    session.on("peers", () => {
      this.showPeople();
      this.carets.update();
    });
    session.on("error", (error) => {
      const text = complaintText(error);
      if (text !== undefined) showToast({ text, fault: true });
    });
    // What has changed is more than the role: whose it is, what the address is good for.
    session.on("role", () => void this.access.ask().catch(() => undefined));
    this.access.onChange((access) => this.title.allow(access.allows("rename")));
    this.followPerson();
    session.on("undo", () => this.toolbar.updateSoon());
    session.on("lost", (lost) => {
      this.merged.onLost();
      this.lost.add(lost);
    });
    for (const event of ["ready", "change", "connection", "saved", "peers", "role"] as const)
      session.on(event, () => this.draw());
    setInterval(() => this.draw(), TICK);
    onSettings(({ name }) => identity.user === undefined && session.rename(name));
    this.draw();
  }

  /** Somebody signs in, here or in another window: the document stays open, and goes on as theirs. */
  private followPerson(): void {
    let before = identity.user?.id;
    identity.onChange((user) => {
      const waits = this.session.connection.reason === "unauthorized";
      if (user && (user.id !== before || waits)) {
        this.session.authenticate();
        void this.access.ask().catch(() => undefined);
      }
      if (user) before = user.id;
    });
  }

  /** Whoever left while there was no connection, nobody has told of; of a document that is gone all have. */
  private showPeople(): void {
    const { user, peers, connection } = this.session;
    const over = connection.state === "closed";
    this.people.show(user, over ? [] : peers, connection.state === "connected");
  }

  /** The document is there for the first time. */
  private begin(): void {
    this.showPeople();
    this.carets.update();
    this.toolbar.updateSoon();
    this.session.setPresence({ status: "active" });
    // Whoever opens a document means to write, unless they have begun something else; a phone would open its keyboard.
    const free = document.activeElement === document.body;
    if (free && this.session.canEdit && !matchMedia("(pointer: coarse)").matches)
      this.quill.setSelection(0, 0, "silent");
  }

  private draw(): void {
    const { session, title, merged } = this;
    const saved = session.saved && title.saved;
    if (merged.count > 0 && this.mergedTimer === 0) {
      this.mergedTimer = window.setTimeout(() => {
        this.mergedTimer = 0;
        merged.count = 0;
      }, MERGED_STAYS);
    }
    const line = describe({
      connection: session.connection,
      goneSince: this.goneSince,
      ready: session.ready,
      saved,
      unsavedSince: earliest(session.unsavedSince, title.unsavedSince),
      connectedSince: this.connectedSince,
      role: session.role,
      merged: merged.count,
      now: Date.now(),
    });
    this.stateLine.show(line, { saved, version: session.version, at: session.savedAt });
    this.statusBar.show(session);
    this.root.classList.toggle("read-only", session.ready && !session.canEdit);
    const reads = session.role === "viewer" || session.role === "commenter";
    this.root.classList.toggle("no-tools", session.ready && reads);
  }

  private async act(action: Action): Promise<void> {
    if (action === "show") {
      this.merged.show(this.quill);
      return;
    }
    try {
      if (action === "sign-in") {
        await this.actions.signIn("You were signed out. What you have written is kept on this page, and saved once you are back.");
        return;
      }
      if (action === "restore") await restoreDocument(this.session.id);
      this.session.retryNow();
    } catch (error) {
      showToast({ text: explain(error, "The document is still in the trash."), fault: true });
    }
  }
}

function earliest(...times: (number | undefined)[]): number | undefined {
  const known = times.filter((time) => time !== undefined);
  return known.length === 0 ? undefined : Math.min(...known);
}
