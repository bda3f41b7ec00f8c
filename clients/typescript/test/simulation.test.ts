import { describe, expect, it } from "vitest";
import { Random } from "./support/random.js";
import { type Plan, Simulation } from "./support/simulation.js";

/** `QUIRE_SEED=n npm test -- simulation` replays one history; `QUIRE_HISTORIES=n` runs more of them. */
const ONE_SEED = process.env.QUIRE_SEED;
const HISTORIES = Number(process.env.QUIRE_HISTORIES ?? 40);
const STEPS = 400;

const PLANS: Record<string, Omit<Plan, "clients" | "steps">> = {
  "account for every character": { onlyInserts: true, refusals: false, restores: false, tight: false },
  "hand back what was refused": { onlyInserts: true, refusals: true, restores: false, tight: false },
  "converge with deletes, formats and undo": { onlyInserts: false, refusals: true, restores: false, tight: false },
  "converge when the document is replaced": { onlyInserts: false, refusals: true, restores: true, tight: false },
  "account for every character within tight limits": {
    onlyInserts: true,
    refusals: true,
    restores: false,
    tight: true,
  },
  "converge within tight limits": { onlyInserts: false, refusals: true, restores: false, tight: true },
};

const seeds = ONE_SEED === undefined ? Array.from({ length: HISTORIES }, (_, index) => index + 1) : [Number(ONE_SEED)];

describe("several clients, a bad network and a failing server", () => {
  for (const [name, plan] of Object.entries(PLANS)) {
    it(`${name}, in ${seeds.length} histories`, { timeout: 60_000 + seeds.length * 5_000 }, async () => {
      for (const seed of seeds) {
        const random = new Random(seed);
        const simulation = new Simulation(random, { ...plan, clients: 3 + random.below(3), steps: STEPS });
        await simulation.run().catch((error: unknown) => {
          expect.fail(`QUIRE_SEED=${seed}: ${error instanceof Error ? error.message : String(error)}`);
        });
      }
    });
  }
});
