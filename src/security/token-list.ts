/** Bearer tokens as operators write them: in a variable, and in a file that is read again when it changes. */

const TOKEN = /^[A-Za-z0-9._~+/-]{1,512}=*$/;
const EXPECTED = '1 to 512 letters, digits and -._~+/';

export function isToken(text: string): boolean {
  return TOKEN.test(text);
}

/** Joined by commas; spaces around them do not count. Throws without repeating any of them. */
export function parseTokens(list: string): string[] {
  return checked(list.split(',').map((token) => token.trim()));
}

/** Joined by commas or line breaks; spaces around them and empty lines do not count. */
export function parseTokenFile(text: string): string[] {
  const tokens = text
    .split(/[,\n]/)
    .map((token) => token.trim())
    .filter((token) => token !== '');
  if (tokens.length === 0) throw new Error('holds no token');
  return checked(tokens);
}

function checked(tokens: string[]): string[] {
  const wrong = tokens.findIndex((token) => !isToken(token));
  if (wrong !== -1) throw new Error(`token ${wrong + 1} must be ${EXPECTED}`);
  return tokens;
}
