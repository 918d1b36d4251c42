"""Where something is sold and paid: Shopify, WooCommerce, Stripe, Paddle, Square, PayPal, Authorize.Net, Xero."""

from __future__ import annotations

from hookserver.providers.samples.sample import PRODUCTS, Luck, Maker, Sample, sent


def shopify(luck: Luck) -> Sample:
    """shopify.dev, "Webhooks": the topic and the identity stand in headers."""
    name, mail = luck.person()
    topic, number = luck.choice(("orders/create", "orders/paid", "orders/fulfilled", "app/uninstalled")), luck.number(1000, 9999)
    order = {"id": int(luck.digits(13)), "name": f"#{number}", "order_number": number, "email": mail, "currency": "EUR", "total_price": luck.price(),
             "created_at": luck.iso,
             "customer": {"id": int(luck.digits(13)), "first_name": name.split()[0], "last_name": name.split()[1]},
             "line_items": [{"id": int(luck.digits(14)), "title": luck.choice(PRODUCTS), "quantity": luck.number(1, 3),
                             "price": luck.price()} for _ in range(luck.number(1, 3))]}
    shop = {"id": int(luck.digits(11)), "name": "Example Shop", "domain": "example.myshopify.com"}
    return sent(shop if topic == "app/uninstalled" else order, {
        "X-Shopify-Topic": topic, "X-Shopify-Shop-Domain": "example.myshopify.com", "X-Shopify-API-Version": "2026-07",
        "X-Shopify-Webhook-Id": luck.uuid(), "X-Shopify-Event-Id": luck.uuid(), "X-Shopify-Triggered-At": luck.iso,
        "User-Agent": "Shopify-Captain-Hook"})


def woocommerce(luck: Luck) -> Sample:
    """woocommerce.com, "Webhooks"."""
    name, mail = luck.person()
    event = luck.choice(("created", "updated"))
    return sent({"id": luck.number(100, 9999), "status": luck.choice(("pending", "processing", "completed")), "currency": "EUR",
                 "total": luck.price(), "date_created_gmt": luck.iso[:19],
                 "billing": {"first_name": name.split()[0], "email": mail},
                 "line_items": [{"id": luck.number(1, 99), "name": luck.choice(PRODUCTS), "quantity": 1}]},
                {"X-WC-Webhook-Topic": f"order.{event}", "X-WC-Webhook-Resource": "order", "X-WC-Webhook-Event": event,
                 "X-WC-Webhook-Source": "https://shop.example.com/",
                 "X-WC-Webhook-ID": "7", "X-WC-Webhook-Delivery-ID": luck.hex(32), "User-Agent": "WooCommerce/9.3 Hookshot (WordPress/6.6)"})


def stripe(luck: Luck) -> Sample:
    """docs.stripe.com, "The Event object"."""
    kind = luck.choice(("payment_intent.succeeded", "charge.refunded", "invoice.paid", "customer.subscription.deleted"))
    name = kind.rpartition(".")[0].rpartition(".")[2]
    about = {"id": f"{name[:2]}_{luck.text(24)}", "object": name, "amount": luck.number(200, 30_000), "currency": "eur",
             "status": "succeeded", "customer": f"cus_{luck.text(14)}"}
    return sent({"id": f"evt_{luck.text(24)}", "object": "event", "api_version": "2026-06-30", "created": luck.second, "type": kind,
                 "livemode": False, "pending_webhooks": 1, "request": {"id": f"req_{luck.text(14)}", "idempotency_key": luck.uuid()},
                 "data": {"object": about}},
                {"User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)"}, content_type="application/json; charset=utf-8")


def paddle(luck: Luck) -> Sample:
    """developer.paddle.com, "Webhooks"."""
    kind = luck.choice(("transaction.completed", "subscription.created", "subscription.canceled"))
    return sent({"event_id": f"evt_01{luck.text(24).lower()}", "event_type": kind, "occurred_at": luck.iso,
                 "notification_id": f"ntf_01{luck.text(24).lower()}",
                 "data": {"id": f"{kind[:3]}_01{luck.text(24).lower()}", "status": "completed", "currency_code": "EUR",
                          "customer_id": f"ctm_01{luck.text(24).lower()}"}},
                {"User-Agent": "Paddle"})


def square(luck: Luck) -> Sample:
    """developer.squareup.com, "Square Webhooks": the address is signed, too."""
    payment = {"id": luck.text(22), "status": luck.choice(("APPROVED", "COMPLETED")), "amount_money": {"amount": luck.number(100, 9000), "currency": "EUR"}}
    return sent({"merchant_id": luck.text(13).upper(), "type": luck.choice(("payment.created", "payment.updated", "refund.created")),
                 "event_id": luck.uuid(), "created_at": luck.iso, "data": {"type": "payment", "id": payment["id"], "object": {"payment": payment}}},
                {"square-environment": "Sandbox", "User-Agent": "Square Connect v2"})


def paypal(luck: Luck) -> Sample:
    """developer.paypal.com, "Webhooks"."""
    return sent({"id": f"WH-{luck.text(17).upper()}-{luck.text(17).upper()}", "event_version": "1.0", "create_time": luck.iso,
                 "event_type": luck.choice(("PAYMENT.CAPTURE.COMPLETED", "PAYMENT.CAPTURE.DENIED", "PAYMENT.CAPTURE.REFUNDED")),
                 "resource_type": "capture", "summary": "A payment was captured",
                 "resource": {"id": luck.text(17).upper(), "status": "COMPLETED", "amount": {"currency_code": "EUR", "value": luck.price()}}},
                {"PAYPAL-TRANSMISSION-ID": luck.uuid(), "PAYPAL-TRANSMISSION-TIME": luck.iso[:19] + "Z", "PAYPAL-AUTH-ALGO": "SHA256withRSA",
                 "PAYPAL-CERT-URL": "https://api.paypal.com/v1/notifications/certs/CERT-0123456789abcdef",
                 "User-Agent": "PayPal/AUHD-214.0"})


def authorizenet(luck: Luck) -> Sample:
    """developer.authorize.net, "Webhooks"."""
    kind = luck.choice(("net.authorize.payment.authcapture.created", "net.authorize.payment.refund.created"))
    transaction = {"responseCode": 1, "authCode": luck.text(6).upper(), "authAmount": float(luck.price()), "entityName": "transaction",
                   "id": luck.digits(11)}
    return sent({"notificationId": luck.uuid(), "eventType": kind, "eventDate": luck.iso, "webhookId": luck.uuid(), "payload": transaction})


def xero(luck: Luck) -> Sample:
    """developer.xero.com, "Webhooks": a list of events in each request."""
    first, count = luck.number(1, 9000), luck.number(1, 2)
    events = [{"resourceUrl": "https://api.xero.com/api.xro/2.0/Invoices/1", "resourceId": luck.uuid(), "eventDateUtc": luck.iso[:23],
               "eventType": "UPDATE", "eventCategory": "INVOICE", "tenantId": luck.uuid(), "tenantType": "ORGANISATION"} for _ in range(count)]
    return sent({"events": events, "firstEventSequence": first, "lastEventSequence": first + count - 1, "entropy": luck.text(20).upper()})


MAKERS: dict[str, Maker] = {"shopify": shopify, "woocommerce": woocommerce, "stripe": stripe, "paddle": paddle, "square": square, "paypal": paypal,
                            "authorizenet": authorizenet, "xero": xero}
