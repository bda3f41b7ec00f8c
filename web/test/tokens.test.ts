/** The contrasts that the tokens promise (WCAG 2.2, 1.4.3 and 1.4.11), and that no colour stands elsewhere. */
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";

const source = join(import.meta.dirname, "../src");
const tokens = readFileSync(join(source, "styles/tokens.css"), "utf8");

type Theme = "light" | "dark";

function token(name: string, theme: Theme): string {
  const value = new RegExp(`--${name}: ([^;]+);`).exec(tokens)?.[1] ?? "";
  const both = /^light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)$/.exec(value);
  const color = both ? both[theme === "light" ? 1 : 2] : value;
  if (!/^#[0-9a-f]{6}$/.test(color ?? "")) throw new Error(`--${name} is no colour that can be checked: ${value}`);
  return color ?? "";
}

function luminance(color: string): number {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => {
    const part = Number.parseInt(color.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(a: string, b: string): number {
  const [dark = 0, light = 0] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (light + 0.05) / (dark + 0.05);
}

const SURFACES = ["surface-page", "surface-sheet", "surface-raised", "surface-hover"];

describe.each<Theme>(["light", "dark"])("%s", (theme) => {
  it.each(["text", "text-muted"])("--%s can be read on every surface", (text) => {
    for (const surface of SURFACES)
      expect(contrast(token(text, theme), token(surface, theme))).toBeGreaterThanOrEqual(4.5);
  });

  it.each(["accent", "danger", "warning"])("--%s can be read where it is used as text", (text) => {
    for (const surface of ["surface-page", "surface-sheet", "surface-raised"]) {
      expect(contrast(token(text, theme), token(surface, theme))).toBeGreaterThanOrEqual(4.5);
    }
  });

  it("what stands on the accent can be read", () => {
    for (const accent of ["accent", "accent-hover"]) {
      expect(contrast(token("on-accent", theme), token(accent, theme))).toBeGreaterThanOrEqual(4.5);
    }
    expect(contrast(token("accent", theme), token("accent-soft", theme))).toBeGreaterThanOrEqual(4.5);
    expect(contrast(token("text", theme), token("text-mark", theme))).toBeGreaterThanOrEqual(4.5);
  });

  it("lines that bound controls can be seen", () => {
    for (const surface of ["surface-page", "surface-sheet"]) {
      expect(contrast(token("line-control", theme), token(surface, theme))).toBeGreaterThanOrEqual(3);
    }
  });

  it.each(Array.from({ length: 12 }, (_, index) => index + 1))(
    "person %i: caret on the sheet, name on the flag",
    (number) => {
      const color = token(`person-${number}`, theme);
      expect(contrast(color, token("surface-sheet", theme))).toBeGreaterThanOrEqual(3);
      expect(contrast(color, token("on-person", theme))).toBeGreaterThanOrEqual(4.5);
    },
  );

  it("text under a selection can be read", () => {
    // 20 % of the strongest colours over the sheet; the darkest and the brightest decide.
    for (let number = 1; number <= 12; number++) {
      const over = mix(token(`person-${number}`, theme), token("surface-sheet", theme), 0.2);
      expect(contrast(token("text", theme), over)).toBeGreaterThanOrEqual(4.5);
    }
  });
});

function mix(front: string, back: string, share: number): string {
  const part = (color: string, at: number) => Number.parseInt(color.slice(at, at + 2), 16);
  return `#${[1, 3, 5]
    .map((at) =>
      Math.round(part(front, at) * share + part(back, at) * (1 - share))
        .toString(16)
        .padStart(2, "0"),
    )
    .join("")}`;
}

it("no colour stands outside of the tokens", () => {
  const files = readdirSync(source, { recursive: true, encoding: "utf8" }).filter((path) => /\.(css|ts)$/.test(path));
  for (const path of files.filter((each) => !each.endsWith("tokens.css"))) {
    const text = readFileSync(join(source, path), "utf8");
    expect(text.match(/#[0-9a-f]{6}\b|#[0-9a-f]{3}\b(?=[;,) ])|\b(rgb|hsl|oklch)a?\(/gi), path).toBeNull();
  }
});
