import { defineConfig } from 'vitest/config';

/** Where `vite dev` finds a running server: `web-terminal serve` with its default port. */
const SERVER = process.env['WEB_TERMINAL_SERVER'] ?? 'http://127.0.0.1:7681';

export default defineConfig({
  // Relative references, so that the page works under any base path of a reverse proxy.
  base: './',
  build: {
    outDir: '../src/web_terminal_suite/server/page',
    emptyOutDir: true,
    target: 'es2022',
    // Every asset is a file of its own: the page's policy allows no inline script, and files are cached by their hash.
    assetsInlineLimit: 0,
    // xterm is most of it and is needed before anything can be shown, so there is nothing to split.
    chunkSizeWarningLimit: 1024,
  },
  server: {
    proxy: {
      '/api': SERVER,
      '/ws': { target: SERVER, ws: true },
    },
  },
  test: {
    include: ['tests/**/*.test.ts', 'report/tests/**/*.test.ts'],
    environment: 'node',
  },
});
