import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { defaultClientConditions, defineConfig, type Plugin } from "vite";

/** Where `npm run dev` finds a running server. */
const server = process.env.QUIRE_URL ?? "http://127.0.0.1:8080";

/** Puts `.br` and `.gz` beside what compresses well: the server sends what it finds and compresses nothing itself. */
function precompress(): Plugin {
  let folder = "";
  return {
    name: "precompress",
    apply: "build",
    configResolved: ({ root, build }) => {
      folder = join(root, build.outDir);
    },
    closeBundle: () => {
      const names = readdirSync(folder, { recursive: true, encoding: "utf8" });
      for (const name of names.filter((each) => /\.(html|js|css|svg)$/.test(each))) {
        const path = join(folder, name);
        const content = readFileSync(path);
        writeFileSync(`${path}.br`, brotliCompressSync(content));
        writeFileSync(`${path}.gz`, gzipSync(content, { level: 9 }));
      }
    },
  };
}

/** The theme that a person has chosen is set by the script, so nothing is painted before it has run. */
function paintAfterScript(): Plugin {
  return {
    name: "paint-after-script",
    transformIndexHtml: {
      order: "post",
      handler: (html) => html.replace('<script type="module"', '<script type="module" blocking="render"'),
    },
  };
}

export default defineConfig({
  plugins: [paintAfterScript(), precompress()],
  build: {
    // The content security policy knows no `data:` for scripts, styles and fonts.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: "es2022",
  },
  resolve: {
    // The client's sources, so that no build of it has to come first; and one copy of what both use.
    conditions: ["@quire/source", ...defaultClientConditions],
    dedupe: ["quill", "quill-delta"],
  },
  server: {
    // The server refuses a foreign `Origin` and `Host`, so both are made its own.
    proxy: { "/v1": { target: server, changeOrigin: true, ws: true, headers: { origin: server } } },
  },
});
