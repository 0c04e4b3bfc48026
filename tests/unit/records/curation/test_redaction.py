"""What redaction puts in the place of what it finds, and where it does not look."""

from __future__ import annotations

import pickle
from collections import Counter

import pytest

from bedrock_distill.errors import SpecError
from bedrock_distill.records import Message, Record
from bedrock_distill.records.curation.redaction import GROUPS, KINDS, Redactor, parse_redaction
from bedrock_distill.records.schema import TextBlock

TOKEN = "gh" + "p_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
KEY_ID = "AK" + "IAIEQH746YNG7BY3A4"


@pytest.fixture(scope="module")
def redactor():
    return Redactor()


def test_each_value_gets_a_label_with_a_number_of_its_own(redactor):
    text, counts = redactor.redact("Write to anna@example.com or bo@example.com, or call +1 212-555-0123.")
    assert text == "Write to [EMAIL_1] or [EMAIL_2], or call [PHONE_1]."
    assert counts == {"email": 2, "phone": 1}


def test_the_same_value_has_the_same_label_however_it_is_written(redactor):
    text, counts = redactor.redact(
        "anna@example.com, Anna@Example.com; DE89 3704 0044 0532 0130 00 is DE89370400440532013000"
    )
    assert text == "[EMAIL_1], [EMAIL_1]; [IBAN_1] is [IBAN_1]"
    assert counts == {"email": 2, "iban": 2}


def test_prompt_and_completion_agree_on_the_labels(redactor):
    record, counts = redactor.redact_record(
        Record.of(
            "My address is kim@example.org, no longer lee@example.org.",
            system="Escalate to boss@example.org.",
            completion="Changed: lee@example.org is now kim@example.org.",
        )
    )
    assert record == Record.of(
        "My address is [EMAIL_2], no longer [EMAIL_3].",
        system="Escalate to [EMAIL_1].",
        completion="Changed: [EMAIL_3] is now [EMAIL_2].",
    )
    assert counts == {"email": 5}


def test_numbers_begin_anew_with_each_record(redactor):
    first, _ = redactor.redact_record(Record.of("I am a@example.com"))
    second, _ = redactor.redact_record(Record.of("I am b@example.com"))
    assert first == second


def test_a_secret_is_hidden_where_nothing_beside_it_says_what_it_is(redactor):
    record, counts = redactor.redact_record(
        Record.of("password: Tr0ub4dor&3", completion="Tr0ub4dor&3 is too short, and XTr0ub4dor&3 another.")
    )
    assert record.completion == "[ASSIGNED_SECRET_1] is too short, and XTr0ub4dor&3 another."
    assert counts == {"assigned-secret": 2}


def test_every_block_of_every_message_is_looked_at(redactor):
    blocks = (TextBlock("a@example.com"), TextBlock("nothing"), TextBlock("b@example.com"))
    turns = (Message("user", blocks), Message.of("assistant", "a@example.com"), Message.of("user", "thanks"))
    record, _ = redactor.redact_record(Record.of(turns))
    texts = [[block.text for block in message.content] for message in record.messages]
    assert texts == [["[EMAIL_1]", "nothing", "[EMAIL_2]"], ["[EMAIL_1]"], ["thanks"]]


def test_a_record_with_nothing_to_find_comes_back_itself(redactor):
    record = Record.of("Where is my order 4711-0815?", system="Be brief.", completion="On its way.")
    same, counts = redactor.redact_record(record)
    assert same is record
    assert counts == Counter()


def test_labels_that_are_there_already_keep_their_numbers(redactor):
    text, counts = redactor.redact("[EMAIL_3] forwarded it to a@example.com and b@example.com")
    assert text == "[EMAIL_3] forwarded it to [EMAIL_4] and [EMAIL_5]"
    assert counts == {"email": 2}


def test_a_label_is_no_secret_even_after_a_word_that_says_so(redactor):
    text = "password: [ASSIGNED_SECRET_1], Tel. [PHONE_1]"
    assert redactor.redact(text) == (text, Counter())


def test_hashes_are_the_same_in_every_record_with_the_same_seed_and_only_then():
    texts = "anna@example.com", "ANNA@example.com is me"
    hashed = [Redactor("email", style="hash", seed=7).redact(text)[0] for text in texts]
    assert hashed[1] == f"{hashed[0]} is me"
    assert hashed[0].startswith("[EMAIL_")
    assert Redactor("email", style="hash", seed=8).redact(texts[0])[0] != hashed[0]
    assert Redactor("email", style="hash", seed=7).redact("bo@example.com")[0] != hashed[0]


def test_removing_leaves_nothing_in_its_place():
    text, counts = Redactor("pii", style="remove").redact("Call (212) 555-0147 now, a@example.com")
    assert text == "Call  now, "
    assert counts == {"phone": 1, "email": 1}


def test_only_the_kinds_that_were_asked_for_are_replaced():
    text = f"a@example.com {TOKEN} 203.0.113.9"
    assert Redactor("email").redact(text)[0] == f"[EMAIL_1] {TOKEN} 203.0.113.9"
    assert Redactor("secrets").redact(text)[0] == "a@example.com [API_TOKEN_1] 203.0.113.9"
    assert (
        Redactor(["ip-address", "api-token"]).redact(text)[0] == "a@example.com [API_TOKEN_1] [IP_ADDRESS_1]"
    )


def test_the_longer_finding_wins_where_two_overlap(redactor):
    text, _ = redactor.redact(f"https://user:{TOKEN}@example.com/ and password: anna@example.com!")
    assert text == "https://[URL_CREDENTIALS_1]@example.com/ and password: [ASSIGNED_SECRET_1]"


@pytest.mark.parametrize(
    "before", ["Schlüssel für Zürich 🔑 ", "\ufeff", "\x00\x00", "\ud800", "ありがとう "]
)
def test_offsets_are_right_behind_any_text(redactor, before):
    text, _ = redactor.redact(f"{before}{TOKEN} é anna@example.com")
    assert text == f"{before}[API_TOKEN_1] é [EMAIL_1]"


def test_labels_count_letters_whose_small_form_is_longer(redactor):
    text, _ = redactor.redact("İİİ password: Tr0ub4dor&3 İ")
    assert text == "İİİ password: [ASSIGNED_SECRET_1] İ"


def test_test_keys_and_forms_that_need_no_issuers_name_are_tokens_too(redactor):
    token = "sk" + "_test_a1B2c3D4e5F6g7H8i9J0k1L2"
    assert redactor.redact(f"Use {token}.")[0] == "Use [API_TOKEN_1]."


def test_an_access_key_alone_and_with_its_secret_is_hidden(redactor):
    secret = "rUZoL8g5ubbbXQ9d7sPq" + "Z1mN4vK2tY6wE8rA0cBh"
    text, counts = redactor.redact(f"{KEY_ID}\naws_secret_access_key = {secret}")
    assert text == "[AWS_ACCESS_KEY_1]\naws_secret_access_key = [AWS_SECRET_KEY_1]"
    assert counts == {"aws-access-key": 1, "aws-secret-key": 1}


def test_what_a_replacement_laid_bare_is_replaced_as_well(redactor):
    text, counts = redactor.redact("203.0.113.9anna@example.com")
    assert text == "[EMAIL_1]"
    assert counts == {"email": 1}


def test_national_telephone_numbers_are_those_of_the_regions_that_are_named():
    text = "Llámame: tel. 912 34 56 78"
    assert Redactor("phone", regions=["ES"]).redact(text)[0] == "Llámame: tel. [PHONE_1]"
    assert Redactor("phone", regions=["us"]).redact("tel. 091 234") == ("tel. 091 234", Counter())


@pytest.mark.parametrize(
    "text",
    [
        "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC",
        "-----BEGIN RSA PRIVATE KEY-----\\nMIIEvQIBADANBgkqhkiG9w0BAQ\\nEFAASCBKkwggSlAgEAAoIB",
    ],
)
def test_a_private_key_that_was_cut_off_is_hidden_to_its_last_line(redactor, text):
    assert redactor.redact(text + "\nThat is all.")[0].endswith("[PRIVATE_KEY_1]\nThat is all.")


def test_a_redactor_crosses_to_another_process_as_its_settings():
    redactor = Redactor(["email", "phone"], style="hash", seed=3, regions=["SE"])
    twin = pickle.loads(pickle.dumps(redactor))
    assert repr(twin) == repr(redactor)
    assert twin.redact("a@example.com") == redactor.redact("a@example.com")


@pytest.mark.parametrize(
    ("options", "field", "message"),
    [
        ({"kinds": ["email", "fax"]}, "redact", r"'fax'.*pii, secrets, all.*email"),
        ({"kinds": []}, "redact", "Nothing to redact"),
        ({"style": "blur"}, "style", r"'blur'.*label, hash, remove"),
        ({"regions": ["XX"]}, "regions", "'XX'"),
    ],
)
def test_settings_that_there_are_not_are_refused_by_name(options, field, message):
    with pytest.raises(SpecError, match=message) as caught:
        Redactor(**options)
    assert caught.value.field == field


def test_every_kind_is_in_one_group_and_in_all():
    assert sorted((*GROUPS["pii"], *GROUPS["secrets"])) == sorted(KINDS)
    assert GROUPS["all"] == tuple(KINDS)


@pytest.mark.parametrize(
    ("text", "kinds", "comprehend"),
    [
        ("pii,secrets", tuple(KINDS), False),
        (" Email , phone ", ("email", "phone"), False),
        ("comprehend", None, True),
        ("comprehend,secrets", GROUPS["secrets"], True),
    ],
)
def test_the_command_lines_words_are_read(text, kinds, comprehend):
    read = parse_redaction(text)
    assert (read.redactor.kinds if read.redactor else None) == kinds
    assert read.comprehend == comprehend


@pytest.mark.parametrize("text", ["", ",", "pii,names", "pii;secrets"])
def test_words_that_mean_nothing_are_refused_with_those_that_do(text):
    with pytest.raises(SpecError, match=r"pii, secrets, all.*email.*comprehend") as caught:
        parse_redaction(text)
    assert (caught.value.field, caught.value.value) == ("redact", text)


@pytest.mark.parametrize(
    ("kind", "module", "distribution"),
    [
        ("api-token", "kingfisher_sdk", "kingfisher-secret-scanner"),
        ("phone", "phonenumbers", "phonenumbers"),
        ("iban", "stdnum", "python-stdnum"),
    ],
)
def test_a_library_that_is_missing_is_named_before_any_text_is_seen(kind, module, distribution):
    import subprocess
    import sys

    script = (
        f"import sys; sys.modules[{module!r}] = None\n"
        "from bedrock_distill.records.curation.redaction import Redactor\n"
        "from bedrock_distill.errors import MissingDependencyError\n"
        "Redactor(['email', 'jwt'])\n"
        f"try: Redactor([{kind!r}])\n"
        "except MissingDependencyError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert distribution in done.stdout
    assert "pip install 'bedrock-distill[curate]'" in done.stdout
