/** Keys and JWTs of a NATS operator, made on the spot: the set-up behind an nkey seed or a creds file. */
import { nkeys as untyped } from 'nats';

export interface KeyPair {
  getPublicKey(): string;
  getSeed(): Uint8Array;
  sign(input: Uint8Array): Uint8Array;
}

/** The client exports its keys without types. */
export const nkeys = untyped as Record<'createOperator' | 'createAccount' | 'createUser', () => KeyPair>;

export interface JwtSetUp {
  /** For the server's configuration file. */
  readonly serverConfig: string;
  /** Content of a creds file of a user that the server knows. */
  readonly creds: string;
}

export function makeJwtSetUp(): JwtSetUp {
  const operator = nkeys.createOperator();
  const account = nkeys.createAccount();
  const user = nkeys.createUser();
  const operatorJwt = jwt('operator', operator, operator);
  const limits = {
    subs: -1,
    data: -1,
    payload: -1,
    conn: -1,
    leaf: -1,
    imports: -1,
    exports: -1,
    wildcards: true,
  };
  const accountJwt = jwt('account', operator, account, { limits });
  const userJwt = jwt('user', account, user, { subs: -1, data: -1, payload: -1 });
  const seed = Buffer.from(user.getSeed()).toString();
  return {
    serverConfig: `operator: ${operatorJwt}
resolver: MEMORY
resolver_preload: { ${account.getPublicKey()}: ${accountJwt} }`,
    creds: `-----BEGIN NATS USER JWT-----
${userJwt}
------END NATS USER JWT------

-----BEGIN USER NKEY SEED-----
${seed}
------END USER NKEY SEED------
`,
  };
}

function jwt(type: string, issuer: KeyPair, subject: KeyPair, nats: object = {}): string {
  const claims = {
    jti: `${type}-1`,
    iat: Math.floor(Date.now() / 1_000),
    iss: issuer.getPublicKey(),
    name: type,
    sub: subject.getPublicKey(),
    nats: { ...nats, type, version: 2 },
  };
  const text = `${base64Url({ typ: 'JWT', alg: 'ed25519-nkey' })}.${base64Url(claims)}`;
  return `${text}.${Buffer.from(issuer.sign(Buffer.from(text))).toString('base64url')}`;
}

function base64Url(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
