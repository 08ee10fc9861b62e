import { NatsServerProcess } from '../support/nats-server';
import { describeBusContract } from './bus-contract';
import { natsBus } from './nats-bus-fixture';

describeBusContract('the NATS bus', async () => {
  const server = await NatsServerProcess.start();
  return {
    makeBus: (onTrouble) => natsBus(server.url, {}, onTrouble),
    close: () => server.stop(),
  };
});
