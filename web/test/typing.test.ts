import type { ConnectionStatus, Peer } from "@quire/client";
import { expect, test } from "vitest";
import { typingText, typists } from "../src/editor/typing";

type Status = "typing" | "idle";

const windows = (name: string, ...statuses: Status[]): Peer[] =>
  statuses.map((status, index) => ({
    session: `${name}-${index}`,
    client: `${name}-${index}`,
    user: { id: name, name, color: "#000000" },
    state: { status },
  }));

const peers = [...windows("Ana", "typing", "typing"), ...windows("Ben", "idle"), ...windows("Chidi", "typing")];

test("who types is told once, however many windows they type in", () => {
  expect(typists({ connection: { state: "connected" }, peers })).toEqual(["Ana", "Chidi"]);
});

test("nobody is told to type while there is no connection", () => {
  const states: ConnectionStatus["state"][] = ["connecting", "reconnecting", "offline", "closed"];
  for (const state of states) expect(typists({ connection: { state }, peers }), state).toEqual([]);
});

test("two are named, more are counted", () => {
  expect(typingText([])).toBe("");
  expect(typingText(["Ana"])).toBe("Ana is typing…");
  expect(typingText(["Ana", "Ben"])).toBe("Ana and Ben are typing…");
  expect(typingText(["Ana", "Ben", "Chidi"])).toBe("3 people are typing…");
});
