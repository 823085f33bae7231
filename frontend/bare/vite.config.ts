import { defineConfig } from 'vite';

export default defineConfig({
  base: './',
  build: {
    outDir: '../../src/web_terminal_suite/bench/browser/page',
    emptyOutDir: true,
    target: 'es2022',
    assetsInlineLimit: 0,
  },
});
