import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, gzipSync } from "node:zlib";
import react from "@vitejs/plugin-react";
import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";

/** Where `npm run dev` finds a server: `previewd serve` on its default address. */
const api = process.env.PREVIEWD_URL ?? "http://127.0.0.1:3000";

export default defineConfig({
  plugins: [react(), brotli(), budget()],
  css: { modules: { generateScopedName: "pv-[name]-[local]" } },
  build: { target: "es2022", assetsInlineLimit: 0 },
  server: { proxy: { "/api": api, "/healthz": api } },
  test: {
    // A document takes longer to make than most tests: those that need one say `@vitest-environment jsdom`.
    environment: "node",
    // Nor is each file given a process of its own, which takes longer than what it tests.
    isolate: false,
    include: ["src/**/*.test.{ts,tsx}"],
    // Some run Python, Node and curl: it is the machine that may be slow.
    testTimeout: 30_000,
    // The logic: what is seen of it is for a real browser to test (`e2e`), where workers run as well.
    coverage: {
      include: ["src/{api,shared/lib,package,features,app}/**/*.ts", "src/shared/ui/refused.ts"],
      exclude: [
        "src/**/*.{test.ts,tsx}",
        "src/api/{schema,types}.ts",
        "src/**/*.worker.ts",
        "src/package/index.ts",
      ],
      reporter: ["text"],
      thresholds: { lines: 90 },
    },
  },
});

/** Puts a compressed copy beside each text asset: the server sends it to those who take it. */
function brotli(): Plugin {
  return {
    name: "previewd-brotli",
    apply: "build",
    writeBundle({ dir = "dist" }) {
      for (const name of readdirSync(dir, { recursive: true, encoding: "utf8" })) {
        if (!/\.(js|css|html|svg)$/.test(name)) continue;
        writeFileSync(join(dir, `${name}.br`), brotliCompressSync(readFileSync(join(dir, name))));
      }
    },
  };
}

/** What the tab needs before anything is shown, gzipped: what more is needed is loaded when it is. */
const INITIAL_BYTES = 150_000;

/** Fails the build where the first load of the tab grows over its budget. */
function budget(): Plugin {
  return {
    name: "previewd-budget",
    apply: "build",
    generateBundle(_, bundle) {
      const first = new Set(["index.html"]);
      const take = (name: string) => {
        const file = bundle[name];
        if (file === undefined || first.has(name)) return;
        first.add(name);
        if (file.type !== "chunk") return;
        file.imports.forEach(take);
        for (const style of file.viteMetadata?.importedCss ?? []) first.add(style);
      };
      for (const file of Object.values(bundle)) {
        const isFirst =
          file.type === "chunk" && (file.isEntry || file.facadeModuleId?.endsWith("/GenerationPage.tsx"));
        if (isFirst) take(file.fileName);
      }
      const sizes = [...first].map((name) => {
        const file = bundle[name];
        return file === undefined ? 0 : gzipSync(file.type === "chunk" ? file.code : file.source).length;
      });
      const total = sizes.reduce((sum, size) => sum + size, 0);
      this.info(`first load: ${(total / 1000).toFixed(1)} kB gzip in ${first.size} files`);
      if (total > INITIAL_BYTES)
        this.error(`The first load is ${total} bytes gzip; ${INITIAL_BYTES} is the limit.`);
    },
  };
}
