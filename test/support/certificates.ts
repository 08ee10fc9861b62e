/**
 * X.509 certificates made on the spot, so that tests of TLS need neither openssl nor keys in the repository. Only
 * what such a test needs: P-256 keys, a CA, and leaves for names and addresses that are valid for an hour.
 */
import { generateKeyPairSync, randomBytes, sign, type KeyObject } from 'node:crypto';
import { isIPv4 } from 'node:net';

export interface Certificate {
  /** PEM. */
  readonly cert: string;
  /** PEM. */
  readonly key: string;
}

export class CertificateAuthority {
  private readonly keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  /** PEM. */
  readonly cert: string;

  constructor(private readonly name = 'Test CA') {
    this.cert = this.certify(this.name, this.keys.publicKey, [
      extension(BASIC_CONSTRAINTS, sequence(der(0x01, [0xff])), true),
    ]);
  }

  /** A certificate for a server of these names or IPv4 addresses; clients can use it too. */
  issue(...names: string[]): Certificate {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const alternatives = names.map((name) =>
      isIPv4(name) ? der(0x87, name.split('.').map(Number)) : der(0x82, Buffer.from(name)),
    );
    const cert = this.certify(names[0] ?? 'nobody', publicKey, [
      extension(SUBJECT_ALT_NAME, sequence(...alternatives), false),
    ]);
    return { cert, key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() };
  }

  private certify(subject: string, publicKey: KeyObject, extensions: Buffer[]): string {
    const toBeSigned = sequence(
      der(0xa0, der(0x02, [2])),
      der(0x02, [1, ...randomBytes(8)]),
      ECDSA_WITH_SHA256,
      distinguishedName(this.name),
      sequence(utcTime(Date.now() - 60_000), utcTime(Date.now() + 3_600_000)),
      distinguishedName(subject),
      publicKey.export({ type: 'spki', format: 'der' }),
      der(0xa3, sequence(...extensions)),
    );
    const signature = sign('sha256', toBeSigned, this.keys.privateKey);
    const certificate = sequence(
      toBeSigned,
      ECDSA_WITH_SHA256,
      der(0x03, Buffer.concat([Buffer.from([0]), signature])),
    );
    const lines = certificate.toString('base64').match(/.{1,64}/g) ?? [];
    return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
  }
}

function der(tag: number, content: Buffer | number[]): Buffer {
  const bytes = Buffer.from(content);
  const length = bytes.length;
  const size = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), bytes]);
}

function sequence(...parts: Buffer[]): Buffer {
  return der(0x30, Buffer.concat(parts));
}

function objectIdentifier(hex: string): Buffer {
  return der(0x06, Buffer.from(hex, 'hex'));
}

const ECDSA_WITH_SHA256 = sequence(objectIdentifier('2a8648ce3d040302'));
const COMMON_NAME = objectIdentifier('550403');
const BASIC_CONSTRAINTS = objectIdentifier('551d13');
const SUBJECT_ALT_NAME = objectIdentifier('551d11');

function distinguishedName(commonName: string): Buffer {
  return sequence(der(0x31, sequence(COMMON_NAME, der(0x0c, Buffer.from(commonName)))));
}

function utcTime(ms: number): Buffer {
  const digits = new Date(ms).toISOString().replace(/[-:T]/g, '').slice(2, 14);
  return der(0x17, Buffer.from(`${digits}Z`));
}

function extension(identifier: Buffer, value: Buffer, critical: boolean): Buffer {
  return sequence(identifier, ...(critical ? [der(0x01, [0xff])] : []), der(0x04, value));
}
