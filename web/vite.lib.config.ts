import { readFileSync } from "node:fs";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

const { dependencies, peerDependencies } = JSON.parse(readFileSync("package.json", "utf8"));
const external = Object.keys({ ...dependencies, ...peerDependencies });

/** The package `@previewd/react`: the same components, with what they depend on left to the host's bundler. */
export default defineConfig({
  plugins: [react()],
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
