/** The state line: in plain words whether what was written is safe. What it says is decided in `describe`, drawn below. */
import type { ConnectionStatus, Role } from "@quire/client";
import { el, setText } from "../dom";
import { exactly } from "../time";

/** All that the line depends on. Times are Unix ms. */
export interface Situation {
  connection: ConnectionStatus;
  /** Since when there is no connection; undefined while there is one. */
  goneSince: number | undefined;
  ready: boolean;
  saved: boolean;
  /** When the oldest of what is unsaved was made; undefined while nothing is. */
  unsavedSince: number | undefined;
  /** Since when there is a connection, before which nothing could be saved; undefined while there is none. */
  connectedSince: number | undefined;
  role: Role | undefined;
  /** Own edits made without a connection that the server has taken since; 0 when there is nothing to tell. */
  merged: number;
  now: number;
}

export type Action = "retry" | "show" | "restore" | "resume" | "sign-in";

export interface Line {
  text: string;
  /** What a screen reader says, where a changing number would make it repeat itself. */
  spoken?: string;
  action?: { label: string; does: Action };
  tone: "calm" | "busy" | "warning" | "danger";
}

/** Most commits take a few ms: a line that says so each time would flicker. In ms. */
const PATIENCE = 300;
/** After this many ms a person should know that it is not as quick as it ought to be. */
const SLOW = 10_000;

export function describe(at: Situation): Line {
  return describeEnd(at) ?? describePutOff(at) ?? describeGap(at) ?? describeWork(at);
}

/** A session that does not come back by itself. */
function describeEnd({ connection, saved }: Situation): Line | undefined {
  if (connection.state !== "closed") return undefined;
  switch (connection.reason) {
    case "deleted":
      return { text: "This document was deleted", tone: "danger", action: { label: "Restore", does: "restore" } };
    case "forbidden":
      return { text: "Someone removed your access", tone: "danger" };
    case "unauthorized":
      return {
        text: saved ? "You are signed out" : "You are signed out. Your changes are kept on this page.",
        tone: "danger",
        action: { label: "Sign in", does: "sign-in" },
      };
    case "replaced":
      return { text: "Open in another window", tone: "warning", action: { label: "Continue here", does: "resume" } };
    default:
      return { text: "Disconnected", tone: "warning", action: { label: "Connect", does: "resume" } };
  }
}

/** The document has not been there yet, and the server has said that it cannot be opened now. */
function describePutOff({ connection, ready, now }: Situation): Line | undefined {
  const { state, reason, retryAt = now } = connection;
  const tooOften = reason === "rate_limited";
  const putOff = state === "connecting" || (state === "reconnecting" && (tooOften || reason === "unavailable"));
  const seconds = Math.ceil((retryAt - now) / 1000);
  if (ready || !putOff || seconds <= 0) return undefined;
  // The server counts for a user, or for all guests of an address: who has opened it is not known here.
  const why = tooOften ? "Opened too often." : "The server cannot open it yet.";
  return {
    text: `${why} Trying again in ${seconds} s`,
    spoken: `${why} It is tried again after a while.`,
    tone: "warning",
    // Too often stays too often until then.
    ...(!tooOften && { action: { label: "Retry now", does: "retry" } }),
  };
}

/** No connection, for now. */
function describeGap({ connection, goneSince, now }: Situation): Line | undefined {
  if (connection.state === "offline")
    return { text: "Offline. Your changes are kept on this device.", tone: "warning" };
  if (connection.state !== "reconnecting") return undefined;
  // A connection that is back at once is not worth a word.
  if (goneSince === undefined || now - goneSince < PATIENCE) return undefined;
  const seconds = Math.ceil(((connection.retryAt ?? now) - now) / 1000);
  if (seconds <= 0) return { text: "Reconnecting…", tone: "warning" };
  return {
    text: `Reconnecting in ${seconds} s`,
    spoken: "Connection lost. Reconnecting. Your changes are kept on this device.",
    tone: "warning",
    action: { label: "Retry now", does: "retry" },
  };
}

function describeWork(at: Situation): Line {
  if (!at.ready) return { text: "Opening…", tone: "busy" };
  const waiting = at.unsavedSince === undefined ? 0 : at.now - Math.max(at.unsavedSince, at.connectedSince ?? 0);
  if (!at.saved && waiting >= SLOW) return { text: "Still saving. Keep this page open.", tone: "warning" };
  if (!at.saved && waiting >= PATIENCE) return { text: "Saving…", tone: "busy" };
  if (at.merged > 0) {
    const changes = at.merged === 1 ? "1 offline change" : `${at.merged} offline changes`;
    return { text: `Merged ${changes}`, tone: "calm", action: { label: "Show", does: "show" } };
  }
  if (at.role === "viewer" || at.role === "commenter") return { text: "View only", tone: "calm" };
  return { text: "All changes saved", tone: "calm" };
}

export class StateLine {
  private readonly text = el("span", { class: "state-text", "aria-hidden": "true" });
  private readonly spoken = el("span", { class: "visually-hidden", role: "status", "aria-live": "polite" });
  private readonly button = el("button", { type: "button", class: "state-action" });
  readonly element = el("div", { class: "state-line" }, this.text, this.spoken, this.button);
  private action: Action | undefined;

  constructor(act: (action: Action) => void) {
    this.button.hidden = true;
    this.button.addEventListener("click", () => this.action && act(this.action));
  }

  show(line: Line, saved: { saved: boolean; version: number; at: number | undefined }): void {
    this.action = line.action?.does;
    // The words come late, so as not to flicker; who has to know for certain reads this.
    this.element.dataset.saved = String(saved.saved);
    this.element.dataset.tone = line.tone;
    setText(this.text, line.text);
    setText(this.spoken, line.spoken ?? line.text);
    setText(this.button, line.action?.label ?? "");
    this.button.hidden = line.action === undefined;
    this.element.title = savedText(saved.version, saved.at);
  }
}

/** "Version 12, last saved Tuesday, 12 March 2024 at 14:32:05". */
function savedText(version: number, at: number | undefined): string {
  if (at === undefined) return `Version ${version}`;
  return `Version ${version}, last saved ${exactly(at)}`;
}
