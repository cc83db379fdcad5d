import { BerthError } from '../lib/errors.ts';
import { asObject, fieldOf, listField, objectField, stringField, type JsonObject } from '../lib/json-fields.ts';

/**
 * The pod's addresses in a chain's result, in all its versions: without prefix length, those of `interfaceName` first.
 * @throws BerthError `internal` when there is none.
 */
export function addressesOf(result: JsonObject, interfaceName: string, what: string): readonly string[] {
  const interfaces = listField(result, 'interfaces', what).map((entry) => asObject(entry, what));
  const places = listField(result, 'ips', what).flatMap((entry) => {
    const ip = asObject(entry, what);
    const place = fieldOf(ip, 'interface');
    const on = interfaces[typeof place === 'number' ? place : -1];
    // Without an interface it belongs to the pod; on one outside of the sandbox it is the host's.
    if (on !== undefined && stringField(on, 'sandbox', what) === '') return [];
    return [{ address: stringField(ip, 'address', what), main: on === undefined || fieldOf(on, 'name') === interfaceName }];
  });
  const ordered = [...places.filter(({ main }) => main), ...places.filter(({ main }) => !main)].map(({ address }) => address);
  const addresses = [...ordered, ...legacyAddresses(result, what)].map(withoutPrefix).filter((address) => address !== '');
  if (addresses.length === 0) throw new BerthError('internal', `${what} has no address for the pod`, { hint: 'the network config needs a plugin that gives addresses (ipam)' });
  return addresses;
}

/** Up to version 0.2.0 there was one address of each family. */
function legacyAddresses(result: JsonObject, what: string): readonly string[] {
  return ['ip4', 'ip6'].flatMap((family) => {
    const part = objectField(result, family, what);
    return part === undefined ? [] : [stringField(part, 'ip', what)];
  });
}

function withoutPrefix(address: string): string {
  return address.split('/')[0] ?? '';
}
