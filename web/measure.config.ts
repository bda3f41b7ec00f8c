import { defineConfig } from "@playwright/test";
import tests from "./playwright.config";

/** Figures instead of tests: one after the other, with the machine to themselves. */
export default defineConfig({
  ...tests,
  testDir: "measure",
  testMatch: "quick.ts",
  fullyParallel: false,
  workers: 1,
  retries: 0,
  timeout: 180_000,
  reporter: [["dot"]],
  use: { ...tests.use, trace: "off" },
});
