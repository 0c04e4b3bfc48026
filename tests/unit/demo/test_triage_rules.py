"""What single rules of the demo's teacher promise."""

from __future__ import annotations

import json

import pytest

from bedrock_distill.cli.demo.spelling import Spelling
from bedrock_distill.cli.demo.triage import CATEGORIES, PRIORITIES, TEAMS, answer, triage
from bedrock_distill.records.schema import Record


def test_an_answer_is_one_compact_line_with_its_keys_in_order():
    text = answer(Record.of("You charged me twice, order 4711."))
    assert text == '{"category":"billing","priority":"normal","team":"payments","refund":true}'
    assert list(json.loads(text)) == ["category", "priority", "team", "refund"]


def test_only_the_message_is_read_not_the_system_prompt_nor_a_golden_label():
    bare = Record.of("Where is my parcel?")
    dressed = Record.of(
        "Where is my parcel?", system="urgent refund lawyer", completion='{"category":"fraud"}'
    )
    assert answer(bare) == answer(dressed)


@pytest.mark.parametrize("text", ["", " ", "\n\n", "...", "?!", "\U0001f600", "a" * 20_000, "1 " * 5_000])
def test_any_text_at_all_gets_an_answer_from_the_known_values(text):
    ticket = triage(text)
    assert ticket.category in CATEGORIES
    assert ticket.priority in PRIORITIES
    assert ticket.team in TEAMS


@pytest.mark.parametrize(
    ("asking", "refusing"),
    [
        ("My parcel is lost. I want a refund.", "My parcel is lost. I do not want a refund."),
        ("My parcel is lost. Please refund it.", "My parcel is lost. Please don't refund it."),
        ("Mein Paket fehlt. Ich will mein Geld zurück.", "Mein Paket fehlt. Das Geld will ich nicht zurück."),
        ("Mi paquete no llega. Quiero un reembolso.", "Mi paquete no llega. No quiero un reembolso."),
        ("Mon colis manque. Je veux un remboursement.", "Mon colis manque. Je ne veux pas de remboursement."),
        ("You billed me twice.", "You billed me twice. A refund is not necessary."),
    ],
)
def test_a_negation_turns_a_wish_for_money_off(asking, refusing):
    assert triage(asking).refund
    assert not triage(refusing).refund


def test_a_negation_does_not_reach_beyond_its_clause():
    assert triage("I do not want a voucher, I want a refund for this invoice.").refund
    assert triage("It is not the colour but I want a refund for the broken lamp").refund


@pytest.mark.parametrize(
    ("text", "priority"),
    [
        ("The invoice says 999.99 EUR.", "normal"),
        ("The invoice says 1,000.00 EUR.", "high"),
        ("Die Rechnung lautet auf 1.249,00 €.", "high"),
        ("Die Rechnung lautet auf 12,49 €.", "normal"),
        ("La facture est de 1 249 €.", "high"),
        ("The invoice says CHF 12'000.", "high"),
        ("The invoice says ₹ 45,000.", "normal"),
        ("The invoice says ₹ 95,000.", "high"),
        ("A fatura diz R$ 4.900,00.", "normal"),
        ("A fatura diz R$ 5.100,00.", "high"),
        ("The invoice for order 482134 of 2026-03-14 is wrong.", "normal"),
    ],
)
def test_much_money_presses_and_is_measured_in_its_own_currency(text, priority):
    assert triage(text).priority == priority


@pytest.mark.parametrize(
    ("text", "priority"),
    [
        ("My parcel is late. It is urgent.", "high"),
        ("My parcel is late. It is not urgent.", "low"),
        ("My parcel is late. Urgent! No rush was yesterday.", "high"),
        ("No rush: my invoice says 4,000.00 EUR.", "low"),
        ("No rush, but my card was stolen.", "high"),
        ("No rush, but my lawyer will write about the invoice.", "high"),
    ],
)
def test_danger_comes_before_deadlines_and_deadlines_before_patience(text, priority):
    assert triage(text).priority == priority


def test_danger_and_lawyers_change_the_team_and_not_the_category():
    assert triage("The charger started to smoke, it is defective.").team == "safety"
    assert triage("The charger is defective, my lawyer knows.").team == "legal"
    assert triage("The charger started to smoke, it is defective. My lawyer knows.").team == "safety"
    assert triage("The charger is defective, my lawyer knows.").category == "return"


def test_the_wish_to_leave_outweighs_the_complaint_that_led_to_it():
    assert (
        triage("Your app crashes after the update and the website shows an error. Cancel my plan.").category
        == "cancel"
    )


def test_an_aside_is_not_read_unless_there_is_nothing_else():
    assert triage("My invoice is wrong. By the way, the app crashes.").category == "billing"
    assert triage("By the way, the app crashes.").category == "bug"


def test_what_the_mail_program_wrote_is_not_read():
    assert triage("From: Ada\nSubject: urgent refund\n\nHow much is the lamp?") == triage(
        "How much is the lamp?"
    )


@pytest.mark.parametrize("slip", ["refudn", "reufnd", "refuund", "refnd", "REFNUD"])
def test_a_slip_of_the_finger_is_forgiven(slip):
    assert triage(f"My parcel is lost, I want a {slip}").refund


def test_a_slip_is_forgiven_in_a_stem_and_its_ending_is_kept():
    assert Spelling.of({"refund*"}).correct("refnuded") == "refunded"


@pytest.mark.parametrize("word", ["person", "trail", "addresses", "lamp", "", "cash"])
def test_words_that_are_no_slips_stay_as_they_are(word):
    assert Spelling.of({"personal", "trial", "address", "crash*"}).correct(word) == word
