import { AccessTokens } from '../../src/security/access-tokens';
import { parseTokenFile, parseTokens } from '../../src/security/token-list';

describe('access tokens', () => {
  it('accept every valid token, whichever was accepted last, and nothing else', () => {
    const tokens = new AccessTokens(['one', 'second==', 'third'], 'peer');
    for (const valid of ['one', 'second==', 'peer', 'third', 'third', 'one']) {
      expect(tokens.accepts(`Bearer ${valid}`)).toBe(true);
      for (const wrong of ['onE', 'on', 'onee', 'oneone', '', 'second', 'peer ', 'one third', 'one,third']) {
        if (wrong.trim() === valid) continue;
        expect([wrong, tokens.accepts(`Bearer ${wrong}`)]).toEqual([wrong, wrong === 'peer ']);
      }
    }
  });

  it('know the scheme in any case, and no other scheme', () => {
    const tokens = new AccessTokens(['one'], undefined);
    for (const header of ['bearer one', 'BEARER  one', 'Bearer one '])
      expect(tokens.accepts(header)).toBe(true);
    for (const header of [
      undefined,
      '',
      'one',
      'Basic one',
      'Bearer',
      'Bearer ',
      'Bearerone',
      ' Bearer one',
    ]) {
      expect([header, tokens.accepts(header)]).toEqual([header, false]);
    }
  });

  it('that were replaced are refused at once, also the one that was accepted last', () => {
    const tokens = new AccessTokens(['old'], undefined);
    expect(tokens.accepts('Bearer old')).toBe(true);
    tokens.replace(['new']);
    expect(tokens.accepts('Bearer old')).toBe(false);
    expect(tokens.accepts('Bearer new')).toBe(true);
  });

  it('are shown to peers in their order, the peer token first, whatever the others become', () => {
    expect(new AccessTokens(['a', 'b', 'a'], undefined).forPeers).toEqual(['a', 'b']);
    const tokens = new AccessTokens(['a', 'b'], 'p');
    expect(tokens.forPeers).toEqual(['p', 'a', 'b']);
    tokens.replace(['c', 'p']);
    expect(tokens.forPeers).toEqual(['p', 'c']);
  });

  it('take about as long to refuse whether the start of what was sent is right or not', () => {
    const secret = 's'.repeat(4_000);
    const tokens = new AccessTokens([secret], undefined);
    tokens.accepts(`Bearer ${secret}`);
    const near = `Bearer ${secret.slice(1)}x`;
    const far = `x${near.slice(1)}`;
    const bestOf = (header: string): number => {
      let best = Infinity;
      for (let run = 0; run < 30; run++) {
        const started = performance.now();
        for (let i = 0; i < 100; i++) tokens.accepts(header);
        best = Math.min(best, performance.now() - started);
      }
      return best;
    };
    // `far` is refused for its scheme before it is hashed, so only the comparison with the last one is left of it.
    bestOf(near);
    expect(bestOf(far)).toBeGreaterThan(bestOf('x') * 20);
  });
});

describe('lists of tokens', () => {
  it('come from a variable joined by commas, and from a file joined by commas or line breaks', () => {
    expect(parseTokens('a,b==')).toEqual(['a', 'b==']);
    expect(parseTokenFile('a,b==\n\n  c \r\nd\n')).toEqual(['a', 'b==', 'c', 'd']);
  });

  it('are refused without repeating a token', () => {
    expect(() => parseTokens('fine,hunter2 hunter2')).toThrow(/^token 2 must be 1 to 512 letters, digits/);
    expect(() => parseTokenFile('\n , \n')).toThrow('holds no token');
    expect(() => parseTokenFile('fine\nhünter2')).toThrow(/^token 2 must be 1 to 512 letters, digits/);
  });
});
