import { createHash } from 'node:crypto';
import { defineConfig, type Plugin } from 'vite';

/** A report may run the script it was built with and nothing else, and may make no requests. */
const POLICY = (script: string, style: string): string =>
  [
    "default-src 'none'",
    `script-src ${script}`,
    `style-src ${style}`,
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ');

const hash = (text: string): string => `'sha256-${createHash('sha256').update(text, 'utf8').digest('base64')}'`;

/**
 * Puts script and style into the page and their hashes into its policy.
 *
 * Done here because the hashes must be those of the text in the file: plug-ins that inline write no policy, and a step
 * that adds one later would have to parse the file again.
 */
function oneFile(): Plugin {
  return {
    name: 'one-file',
    enforce: 'post',
    generateBundle(_options, bundle) {
      const page = bundle['index.html'];
      if (page?.type !== 'asset') return this.error('there is no index.html');
      let script = '';
      let style = '';
      for (const [name, part] of Object.entries(bundle)) {
        if (part === page) continue;
        if (part.type === 'chunk') script += part.code.trim();
        else if (name.endsWith('.css')) style += String(part.source).trim();
        else return this.error(`${name} is neither script nor style; a report has nowhere to fetch it from`);
        delete bundle[name];
      }
      if (/<\/?script|<!--/i.test(script) || /<\/style/i.test(style)) return this.error('inlined code would end early');
      const html = String(page.source)
        .replace(/\s*<script type="module"[^>]*><\/script>/g, '')
        .replace(/\s*<link rel="(?:stylesheet|modulepreload)"[^>]*>/g, '')
        .replace('content="the policy"', () => `content="${POLICY(hash(script), hash(style))}"`)
        .replace('</head>', () => `  <style>${style}</style>\n  </head>`)
        .replace('</body>', () => `  <script type="module">${script}</script>\n  </body>`);
      page.source = html;
    },
  };
}

export default defineConfig({
  base: './',
  build: {
    outDir: '../../src/web_terminal_suite/bench/report/page',
    emptyOutDir: true,
    target: 'es2022',
    modulePreload: false,
    cssCodeSplit: false,
  },
  plugins: [oneFile()],
});
