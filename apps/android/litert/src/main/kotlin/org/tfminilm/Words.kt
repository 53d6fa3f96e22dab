package org.tfminilm

import java.lang.Character.UnicodeScript

/**
 * A part of the text without blanks around it and with whole words, as its
 * first place and the one behind its last; equal where there are blanks only.
 *
 * A word is a run of letters, digits and the marks on them. Scripts that write
 * words without blanks, or endings behind them, have none.
 */
internal fun String.wholeWords(from: Int, to: Int): Pair<Int, Int> {
    var start = from
    var end = to
    while (start < end && this[start].isWhitespace()) start++
    while (start < end && this[end - 1].isWhitespace()) end--
    if (start == end) return start to start
    while (isInWord(start)) start -= Character.charCount(codePointBefore(start))
    while (isInWord(end)) end += Character.charCount(codePointAt(end))
    return start to end
}

/** Whether the characters before and behind a place are of one word. */
private fun String.isInWord(place: Int) =
    place in 1 until length && isOfWord(codePointBefore(place)) && isOfWord(codePointAt(place))

private fun isOfWord(character: Int) =
    (1 shl Character.getType(character)) and KINDS != 0 &&
        UnicodeScript.of(character) !in WITHOUT_WORDS

/** Letters, marks and digits, as bits. */
private val KINDS = listOf(
    Character.UPPERCASE_LETTER,
    Character.LOWERCASE_LETTER,
    Character.TITLECASE_LETTER,
    Character.MODIFIER_LETTER,
    Character.OTHER_LETTER,
    Character.NON_SPACING_MARK,
    Character.ENCLOSING_MARK,
    Character.COMBINING_SPACING_MARK,
    Character.DECIMAL_DIGIT_NUMBER,
    Character.LETTER_NUMBER,
    Character.OTHER_NUMBER,
).fold(0) { all, kind -> all or (1 shl kind.toInt()) }

private val WITHOUT_WORDS = setOf(
    UnicodeScript.HAN,
    UnicodeScript.HIRAGANA,
    UnicodeScript.KATAKANA,
    UnicodeScript.HANGUL,
    UnicodeScript.THAI,
    UnicodeScript.LAO,
    UnicodeScript.KHMER,
    UnicodeScript.MYANMAR,
)

/**
 * The parts of a text that have a tag each: the words, and every other character
 * that is no blank. Two places each, its first and the one behind its last.
 */
internal fun String.wordsAndMarks(): IntArray {
    var places = IntArray(64)
    var size = 0
    var start = 0
    while (start < length) {
        val character = codePointAt(start)
        var end = start + Character.charCount(character)
        if (isOfWord(character)) {
            while (end < length && isOfWord(codePointAt(end))) end += Character.charCount(codePointAt(end))
        }
        if (!isBlank(character)) {
            if (size == places.size) places = places.copyOf(size * 2)
            places[size++] = start
            places[size++] = end
        }
        start = end
    }
    return places.copyOf(size)
}

/** Unicode's White_Space, which Java has under no name. */
private fun isBlank(character: Int) = when (character) {
    in 0x09..0x0D, 0x20, 0x85, 0xA0, 0x1680, in 0x2000..0x200A, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000 -> true
    else -> false
}
