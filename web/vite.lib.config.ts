import { readFileSync } from "node:fs";
import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin } from "vite";

const { dependencies, peerDependencies } = JSON.parse(readFileSync("package.json", "utf8"));
const external = Object.keys({ ...dependencies, ...peerDependencies });

/** The package `@previewd/react`: the same components, with what they depend on left to the host's bundler. */
export default defineConfig({
  plugins: [react(), workersForHosts()],
  base: "./",
  publicDir: false,
  css: { modules: { generateScopedName: "pv-[name]-[local]" } },
  build: {
    target: "es2022",
    outDir: "lib",
    minify: false,
    cssCodeSplit: false,
    lib: { entry: { index: "src/package/index.ts" }, formats: ["es"], cssFileName: "styles" },
    rolldownOptions: {
      external: (id) => external.some((name) => id === name || id.startsWith(`${name}/`)),
    },
  },
});

/** Writes the address of a worker in the one form that a host's bundler recognises, and bundles itself. */
function workersForHosts(): Plugin {
  const address =
    /new URL\(\s*\/\*[^*]*\*\/\s*new URL\("(assets\/[^"]+)", import\.meta\.url\)\.href,\s*"" \+ import\.meta\.url\s*\)/g;
  return {
    name: "previewd-workers-for-hosts",
    enforce: "post",
    generateBundle(_, bundle) {
      for (const file of Object.values(bundle)) {
        if (file.type === "chunk") file.code = file.code.replace(address, 'new URL("./$1", import.meta.url)');
      }
    },
  };
}
