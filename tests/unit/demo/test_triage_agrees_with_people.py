"""Messages labelled by hand before the teacher saw them, none of them taken from the composer's phrases.

The desk's policy behind the labels: fraud, danger, lawyers, deadlines and repeated letters are high; questions before a
purchase, praise and unclear mail are low; so is whatever the customer says can wait. Money is paid back when it is asked
for, or when it was taken twice.
"""

from __future__ import annotations

import pytest

from bedrock_distill.cli.demo.triage import triage

LONG_LETTER = (
    "Dear team, we had a lovely holiday in Porto, the children liked the backpack, and the weather was kind. Now to the "
    "reason for this mail: since Monday I cannot sign in on my tablet, although the phone works. I have tried it in the "
    "kitchen, in the garden and at my sister's. There is no hurry, we are away until the 14th. Kind regards, Ines"
)

LABELLED = (
    # billing
    ("Hi, the March invoice shows 3 seats but we only ever had 2. Could you correct that? Thanks, Marta", "billing normal payments no"),
    ("you billed me twice!!! order 88121", "billing normal payments yes"),
    ("I was charged twice for the same order but please do not refund it, book it as credit.", "billing normal payments no"),
    ("Could I have a receipt for my purchase of 4 June? My employer wants one. No hurry at all.", "billing low payments no"),
    ("Why do I get a payment reminder for a bill that I settled in May?", "billing normal payments no"),
    ("The charge on my credit card is $2,480.00, the bill says $248.00.", "billing high payments no"),
    ("Someone must look at invoice 2026-114 today, our books close tonight.", "billing high payments no"),
    ("Ich verstehe die Rechnung vom Juli nicht. Warum sind es 89,90 €?", "billing normal payments no"),
    ("Die Mahnung ist falsch, ich habe schon überwiesen. Mein Anwalt weiß Bescheid.", "billing high legal no"),
    ("Hola, ¿me pueden mandar la factura de mayo? No es urgente.", "billing low payments no"),
    ("Bonjour, la facture de juin est de 1 480,00 € au lieu de 148 €. Je demande un remboursement.", "billing high payments yes"),
    ("Me cobraron dos veces, quiero mi dinero.", "billing normal payments yes"),
    # delivery
    ("Still no parcel. Tracking says 'in transit' since last Tuesday.", "delivery normal logistics no"),
    ("The courier threw my package over the fence. This is the second time I write, and no reply.", "delivery high logistics no"),
    ("Please send the delivery to my office instead of my home, order A-4411.", "delivery normal logistics no"),
    ("WHERE IS MY ORDER?? I needed it for a wedding, now I want my money back", "delivery normal logistics yes"),
    ("hi, when will order 20713 be shipped? whenever you have a minute", "delivery low logistics no"),
    ("My neighbour says a driver left a parcel in the street. It was mine. It is gone. Please refund me.", "delivery normal logistics yes"),
    ("Das Paket liegt seit zehn Tagen beim Zoll. Bitte kümmern Sie sich sofort darum.", "delivery high logistics no"),
    ("Le colis est marqué livré mais je n'ai rien reçu.", "delivery normal logistics no"),
    ("Minha encomenda está parada em Curitiba há dez dias.", "delivery normal logistics no"),
    ("Il pacco non è ancora arrivato, potete controllare?", "delivery normal logistics no"),
    ("El paquete sigue en Madrid. Quiero el reembolso.", "delivery normal logistics yes"),
    # sent back
    ("Hello, one of the mugs came broken. I do not need my money back, just a new mug.", "return normal warehouse no"),
    ("The jacket is too small, how can I exchange it?", "return normal warehouse no"),
    ("I would like to send back the lamp and get a refund of 59 EUR.", "return normal warehouse yes"),
    ("The charger exploded in my hand and I was lucky.", "return high safety no"),
    ("There are sparks when I switch on the blender. It is still under warranty.", "return high safety no"),
    ("Wrong item in the box: I ordered a kettle and got a toaster. It can wait until Monday.", "return low warehouse no"),
    ("Die Uhr ist defekt angekommen. Ich möchte mein Geld zurück.", "return normal warehouse yes"),
    ("La chaqueta no es mi talla, quiero devolver la chaqueta.", "return normal warehouse no"),
    ("L'écran est arrivé cassé, merci de me rembourser.", "return normal warehouse yes"),
    ("La lampada è arrivata rotta, è urgente perché è un regalo.", "return high warehouse no"),
    ("My parcel arrived damaged and the speaker inside is cracked.", "return normal warehouse no"),
    # account
    ("My password does not work since yesterday.", "account normal accounts no"),
    ("We moved to a new domain, please update the email address on our account. Not urgent.", "account low accounts no"),
    ("Locked out. I have a presentation in an hour, please hurry!", "account high accounts no"),
    ("Please erase my personal data as the law requires.", "account normal accounts no"),
    ("I can't log in, and no, I did not forget anything.", "account normal accounts no"),
    ("Ich komme nicht mehr in mein Konto, Passwort vergessen.", "account normal accounts no"),
    ("J'ai perdu mon mot de passe, comment faire ?", "account normal accounts no"),
    ("Não consigo entrar, esqueci a senha.", "account normal accounts no"),
    # bug
    ("The app keeps crashing on my Pixel.", "bug normal engineering no"),
    ("error 503 on your website all morning, we need this asap", "bug high engineering no"),
    ("After the update, the app shows yesterday's data. Minor thing, no rush.", "bug low engineering no"),
    ("Die App stürzt ständig ab.", "bug normal engineering no"),
    ("La aplicación se cierra sola desde ayer.", "bug normal engineering no"),
    ("Le site affiche une page blanche.", "bug normal engineering no"),
    ("The screen freezes as soon as I tap 'Save'. By the way, my last parcel came late.", "bug normal engineering no"),
    # fraud
    ("There is a purchase on my card that was not me!", "fraud high risk no"),
    ("I did not make this payment of 79.99. Refund it.", "fraud high risk yes"),
    ("Got a strange mail with a link, looks like phishing. Just for your information, it can wait.", "fraud high risk no"),
    ("My phone was stolen, please block my account.", "fraud high risk no"),
    ("Jemand hat mein Konto gehackt und Sachen bestellt.", "fraud high risk no"),
    ("Me robaron la tarjeta.", "fraud high risk no"),
    ("On a piraté mon compte cette nuit.", "fraud high risk no"),
    # cancel
    ("Please cancel my plan, I hardly use it.", "cancel normal retention no"),
    ("The app crashes all the time. I am done, cancel my subscription and refund the last month.", "cancel normal retention yes"),
    ("I do not want to cancel, I only want to know why the app freezes.", "bug normal engineering no"),
    ("Ich kündige zum Monatsende.", "cancel normal retention no"),
    ("Quiero cancelar la suscripción hoy mismo.", "cancel high retention no"),
    ("Je souhaite résilier, rien ne presse.", "cancel low retention no"),
    ("Annullate il mio ordine, per favore.", "cancel normal retention no"),
    ("Terminate the contract or my lawyer will.", "cancel high legal no"),
    # sales
    ("How much is the big backpack?", "sales low sales no"),
    ("We are a school, do you have a discount for 30 tablets?", "sales low sales no"),
    ("Could you send a quote by tomorrow? It is for 200 chairs.", "sales high sales no"),
    ("Is this charger compatible with a 2019 laptop?", "sales low sales no"),
    ("Haben Sie die rote Tasche auf Lager?", "sales low sales no"),
    ("¿Cuánto cuesta el envío de dos mesas?", "sales low sales no"),
    # feedback
    ("What great service! Thank you for the lovely note in the box.", "feedback low quality no"),
    ("A suggestion for your shop: longer hours on Saturdays.", "feedback low quality no"),
    ("Vielen Dank für die schnelle Antwort!", "feedback low quality no"),
    # other
    ("Call me.", "other low frontdesk no"),
    ("Hi, I have a question, can someone ring me back today please?", "other high frontdesk no"),
    ("Hello, it's me again. Same as last time.", "other low frontdesk no"),
    ("?", "other low frontdesk no"),
    ("J'aurais une question à vous poser.", "other low frontdesk no"),
    # several things at once, forwarded, misspelt
    ("FW: please handle\nFrom: Ana\nSubject: invoice\n\nHi, the courier lost my parcel again. Ana", "delivery normal logistics no"),
    ("I recieved a brokn lamp and want a refnud", "return normal warehouse yes"),
    ("my pasword does not work annd the app is fine", "account normal accounts no"),
    ("PS: thanks again for the quick delivery. My invoice has the wrong VAT number.", "billing normal payments no"),
    (LONG_LETTER, "account low accounts no"),
    ("I never asked for a refund, I asked where my parcel is!", "delivery normal logistics no"),
    ("What is your refund policy for gift cards?", "sales low sales no"),
)  # fmt: skip


def told(text: str) -> str:
    ticket = triage(text)
    return f"{ticket.category} {ticket.priority} {ticket.team} {'yes' if ticket.refund else 'no'}"


def test_the_teacher_agrees_with_people_on_nearly_all_messages():
    differing = {text: (label, told(text)) for text, label in LABELLED if told(text) != label}
    assert len(LABELLED) >= 60
    assert len(differing) <= len(LABELLED) * 0.05, differing


@pytest.mark.parametrize(("place", "least"), [(0, 0.97), (1, 0.97), (2, 0.97), (3, 0.98)])
def test_each_field_agrees_on_its_own(place, least):
    agreeing = sum(told(text).split()[place] == label.split()[place] for text, label in LABELLED)
    assert agreeing >= least * len(LABELLED)
