import time
from tests.services.test_recover_intents import *
def holes(played):
    h=played.chain.height()
    return [n for n in range(h+1) if played.chain.call("eth_getBlockByNumber", hex(n), False) is None]
def test_stress(sold_world):
    played=sold_world
    for i in range(25):
        played.restore()
        a=holes(played)
        if i%2==0:
            with opened_shop(played) as shop:
                intent_id, permit, signature = shop.sign(shop.order())
                height = played.chain.height()
                tx_hash = shop.send(permit, signature)
                played.chain.call("anvil_reorg", played.chain.height() - height, [])
                played.chain.call("anvil_dropTransaction", "0x" + tx_hash.hex())
                shop.relayer._nonce=None
                shop.send(permit, signature)
                played.chain.finalize()
        b=holes(played)
        played.restore()
        for _ in range(6):
            played.chain.advance_to(played.chain.now()+86400*3)
            played.chain.mine(7)
            time.sleep(0.3)
        c=holes(played)
        print(i,a,b,c,played.chain.height())
