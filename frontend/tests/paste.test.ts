import { describe, expect, it } from 'vitest';

import { COPY_LIMIT, copiedText } from '../src/clipboard';
import { harmless } from '../src/paste';

describe('harmless', () => {
  it('keeps text, tab and line ends', () => {
    const text = 'a\tb\r\nc\nd\re — 漢 👍🏽 e\u0301 \u2028';
    expect(harmless(text)).toBe(text);
  });

  it('leaves no other control character', () => {
    const all = String.fromCharCode(...Array.from({ length: 0xa0 }, (_, at) => at));
    const controls = [...harmless(all)].filter((each) => /\p{Cc}/u.test(each));
    expect(controls).toEqual(['\t', '\n', '\r']);
  });

  it('shows what it replaced', () => {
    expect(harmless('\x1b[201~\x03\x7f\x9b')).toBe('␛[201~␃␡\ufffd');
  });
});

describe('copiedText', () => {
  const base64 = (text: string): string => Buffer.from(text).toString('base64');

  it.each(['c', '', 's', 's0', 'pc', 'cs01'])('takes what is meant for the clipboard with target %j', (target) => {
    expect(copiedText(`${target};${base64('é 漢\n')}`)).toBe('é 漢\n');
  });

  it('needs no padding', () => {
    expect(copiedText('c;YQ')).toBe('a');
  });

  it.each(['c;?', ';?', '?', '', ';', 'c;', 'c', 'p;YQ==', 'q;YQ==', '0;YQ==', 'c;%', 'c;YQ==;YQ=='])('ignores %j', (payload) => {
    expect(copiedText(payload)).toBeNull();
  });

  it('ignores a copy beyond the limit', () => {
    expect(copiedText(`c;${'A'.repeat(COPY_LIMIT)}`)).not.toBeNull();
    expect(copiedText(`c;${'A'.repeat(COPY_LIMIT + 4)}`)).toBeNull();
  });
});
