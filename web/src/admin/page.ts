/** `/admin`: what runs on this server, live, and what can be done about it. */
import "../styles/admin.css";
import { RequestFailed, explain, mayPass } from "../api";
import { editorPath } from "../documents/entry";
import { el, fill, setText } from "../dom";
import { identity } from "../identity";
import { textButton } from "../ui/button";
import { confirm } from "../ui/dialog";
import { pageBar as bar } from "../ui/page-bar";
import { canSignIn, learnEntrance } from "../ui/person";
import { showToast } from "../ui/toast";
import {
  Administration,
  type Ban,
  type DeadDelivery,
  type Found,
  type LiveDocument,
  type LiveSession,
  type Webhook,
} from "./api";
import { Bans } from "./bans";
import { Chart } from "./chart";
import { entrance, forgetToken, keptToken } from "./entrance";
import { askAgain } from "./hook-words";
import { Hooks } from "./hooks";
import { Servers } from "./servers";
import { Table } from "./table";

/** How often the server is looked at, in ms, while the page is. */
const EVERY = 2_000;

export class AdminPage {
  private readonly charts = {
    operations: new Chart("Operations a second"),
    sessions: new Chart("Sessions"),
    journal: new Chart("Waiting for a commit"),
    lag: new Chart("In no snapshot yet"),
  };
  private readonly state = el("p", { class: "admin-state", role: "status" });
  private readonly docs = new Table<LiveDocument>(
    [
      { title: "Document", cell: ({ id }) => el("a", { href: editorPath(id) }, id) },
      { title: "Server", ofSeveral: true, cell: ({ node }) => node },
      { title: "State", cell: ({ state }) => state },
      { title: "Version", number: true, cell: ({ version }) => version },
      { title: "Sessions", number: true, cell: ({ sessions }) => sessions },
      { title: "Not durable", number: true, cell: ({ speculative }) => speculative },
      { title: "In no snapshot", number: true, cell: ({ snapshot_lag }) => snapshot_lag },
      { title: "Bytes", number: true, cell: ({ bytes }) => bytes?.toLocaleString() },
      { title: "Idle", number: true, cell: ({ idle_ms }) => idle_ms !== undefined && `${Math.round(idle_ms / 1_000)} s` },
      { title: "Actions", cell: (doc) => doc.state === "live" && this.actionsOf(doc) },
    ],
    // Two servers may have it while it goes from one to the other.
    ({ id, node }) => `${id} ${node}`,
    { label: "Documents in memory", empty: "No document is in memory." },
  );
  private readonly more = el("p", { class: "hint" }, "There are more than these.");
  private readonly sessions = new Table<LiveSession>(
    [
      { title: "Name", cell: ({ name }) => name },
      { title: "User", cell: ({ user }) => user },
      { title: "Document", cell: ({ doc }) => el("a", { href: editorPath(doc) }, doc) },
      { title: "Server", ofSeveral: true, cell: ({ node }) => node },
      { title: "Behind", number: true, cell: ({ lag }) => lag },
      {
        title: "Actions",
        cell: (session) => textButton({ label: "Disconnect", onClick: () => void this.dismiss(session) }),
      },
    ],
    // Each server numbers its own, and anew when it starts again.
    ({ session, client, doc, node }) => [session, client, doc, node].join(" "),
    { label: "Sessions", empty: "Nobody is connected." },
  );
  private readonly servers = new Servers();
  private readonly bans = new Bans({
    ban: (ban) => this.tryTo("Nobody was banned.", () => this.administration.ban(ban)),
    lift: (ban) => void this.lift(ban),
  });
  private readonly hooks = new Hooks({
    look: () => void this.look(),
    redeliver: (hook, delivery) => void this.redeliver(hook, delivery),
  });
  private before: { at: number; operations: number } | undefined;
  private timer = 0;

  constructor(private readonly root: HTMLElement) {
    document.title = "Administration · quire";
    void this.begin();
  }

  private administration = new Administration();

  /** A token that was given to this tab comes first; then whoever is signed in, if they look after the server. */
  private async begin(): Promise<void> {
    await learnEntrance();
    const token = keptToken();
    const own = identity.user?.admin === true;
    const why = token !== undefined || own ? await this.enter(token) : this.whyNot();
    if (why !== undefined) this.showEntrance(why);
  }

  private whyNot(): string {
    const { user } = identity;
    return user ? `You are signed in as ${user.name}, who is not an administrator.` : "";
  }

  private showEntrance(why?: string): void {
    clearTimeout(this.timer);
    const form = entrance((token) => this.enter(token), { why, signIn: canSignIn() });
    fill(this.root, bar(), el("main", { class: "admin" }, form));
  }

  /** Says why the token does not open, if it does not; without one it is that of whoever is signed in. */
  private async enter(token?: string): Promise<string | undefined> {
    const administration = new Administration(token);
    try {
      const found = await administration.look();
      this.administration = administration;
      this.show();
      this.draw(found);
      this.lookSoon();
      return undefined;
    } catch (error) {
      return refused(error) ?? explain(error, "Nothing is shown.");
    }
  }

  private show(): void {
    this.more.hidden = true;
    const leave = () => {
      forgetToken();
      this.showEntrance();
    };
    fill(
      this.root,
      bar(
        keptToken() !== undefined && textButton({ label: "Leave", onClick: leave }),
        textButton({ label: "Drain this server", class: "danger", onClick: () => void this.drain() }),
      ),
      el(
        "main",
        { class: "admin" },
        el("h1", {}, "Administration"),
        this.state,
        el("div", { class: "charts" }, ...Object.values(this.charts).map(({ element }) => element)),
        this.servers.element,
        el("h2", {}, "Documents in memory"),
        this.docs.element,
        this.more,
        el("h2", {}, "Sessions"),
        this.sessions.element,
        el("h2", {}, "Bans"),
        this.bans.element,
        el("h2", {}, "Webhooks"),
        this.hooks.element,
      ),
    );
  }

  private lookSoon(): void {
    clearTimeout(this.timer);
    this.timer = window.setTimeout(() => void this.look(), EVERY);
  }

  private async look(): Promise<void> {
    try {
      if (document.visibilityState === "visible") this.draw(await this.administration.look(this.hooks.shown));
    } catch (error) {
      const why = refused(error);
      if (why !== undefined) {
        forgetToken();
        this.showEntrance(why);
        return;
      }
      setText(this.state, mayPass(error) ? "The server does not answer. Trying again." : explain(error, ""));
    }
    this.lookSoon();
  }

  private draw({ node, servers, missing, docs, more, sessions, bans, hooks, dead }: Found): void {
    const now = Date.now();
    const { charts, before } = this;
    if (before && node.operations >= before.operations && now > before.at)
      charts.operations.add(now, ((node.operations - before.operations) * 1_000) / (now - before.at));
    this.before = { at: now, operations: node.operations };
    charts.sessions.add(now, node.sessions);
    charts.journal.add(now, node.journal_queue);
    charts.lag.add(now, node.snapshot_lag);
    const quarantined = node.quarantined > 0 ? `, ${node.quarantined} quarantined` : "";
    setText(
      this.state,
      node.draining
        ? "This server is draining."
        : `${node.name}, version ${node.version}, ${node.documents} documents in memory${quarantined}`,
    );
    this.root.classList.toggle("alone", servers.length < 2);
    this.servers.draw(servers, missing);
    this.docs.draw(docs);
    this.more.hidden = !more;
    this.sessions.draw(sessions);
    this.bans.draw(bans);
    this.hooks.draw(hooks, dead);
  }

  private actionsOf(doc: LiveDocument): HTMLElement {
    return el(
      "div",
      { class: "row-actions" },
      textButton({ label: "Verify", onClick: () => void this.verify(doc) }),
      textButton({ label: "Passivate", onClick: () => void this.passivate(doc) }),
    );
  }

  private async verify({ id }: LiveDocument): Promise<void> {
    await this.attempt("Nothing was compared.", async () => {
      const { versions, snapshots, complaints } = await this.administration.verify(id);
      const [first] = complaints;
      if (first === undefined)
        showToast({ text: `${id}: ${versions} versions and ${snapshots} snapshots are as the log says.` });
      else showToast({ text: `${complaints.length} complaints. ${first}`, fault: true });
    });
  }

  private async passivate({ id }: LiveDocument): Promise<void> {
    const sure = await confirm({
      title: "Send the document away from memory?",
      text: `${id} is read again when somebody opens it. Its sessions reconnect by themselves; nothing is lost.`,
      action: "Passivate",
    });
    if (sure) await this.attempt("It stays in memory.", () => this.administration.passivate(id));
  }

  private async dismiss(session: LiveSession): Promise<void> {
    const sure = await confirm({
      title: "Disconnect this session?",
      text: `${session.name} is told to reconnect, and does so after a moment; nothing is lost.`,
      action: "Disconnect",
    });
    if (sure) await this.attempt("The session goes on.", () => this.administration.dismiss(session));
  }

  private async lift(ban: Ban): Promise<void> {
    await this.attempt("The ban holds.", () => this.administration.lift(ban));
  }

  private async redeliver(hook: Webhook, delivery: DeadDelivery): Promise<void> {
    const sure = await confirm({
      title: "Send this again?",
      text: askAgain(hook, delivery),
      action: "Send again",
    });
    if (sure) await this.attempt("It was not sent again.", () => this.administration.redeliver(hook, delivery));
  }

  private async drain(): Promise<void> {
    const sure = await confirm({
      title: "Drain this server?",
      text: "Everything is committed, sessions are told to reconnect, and the process ends. Whoever has started it has to start it again.",
      action: "Drain",
    });
    if (sure) await this.attempt("The server goes on.", () => this.administration.drain());
  }

  private async attempt(kept: string, act: () => Promise<void>): Promise<void> {
    const why = await this.tryTo(kept, act);
    if (why !== undefined) showToast({ text: why, fault: true });
  }

  /** Says why something could not be done, if it could not. */
  private async tryTo(kept: string, act: () => Promise<void>): Promise<string | undefined> {
    try {
      await act();
      await this.look();
      return undefined;
    } catch (error) {
      return explain(error, kept);
    }
  }
}

/** Says so when it is the token that is refused. */
function refused(error: unknown): string | undefined {
  if (!(error instanceof RequestFailed)) return undefined;
  if (error.status === 401) return "This token is not valid, or not any more.";
  if (error.status === 403) return "This token is not one of an administrator.";
  return undefined;
}
