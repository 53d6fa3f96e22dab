package org.tfminilm

/** Cuts texts into a model's tokens. Not safe for several threads at once. */
abstract class Tokenizer {
    /**
     * Tokenises `text[start, end)` without special tokens.
     *
     * @param into is cleared first. An unpaired surrogate reads as U+FFFD.
     * @param limit stops once there are so many tokens: the rest of a long
     *     text is not looked at.
     */
    abstract fun encode(
        text: String,
        into: Tokens,
        start: Int = 0,
        end: Int = text.length,
        limit: Int = Int.MAX_VALUE,
    )

    /** Tokenises a whole text. */
    fun encode(text: String, into: Tokens) = encode(text, into, 0, text.length, Int.MAX_VALUE)
}

/** The code point at a place before [end]; U+FFFD for an unpaired surrogate. */
internal fun String.characterAt(index: Int, end: Int): Int {
    val first = this[index]
    if (!Character.isSurrogate(first)) return first.code
    if (index + 1 < end && Character.isSurrogatePair(first, this[index + 1])) {
        return Character.toCodePoint(first, this[index + 1])
    }
    return REPLACEMENT
}

/** How many bytes a code point has in UTF-8. */
internal fun utf8Size(character: Int): Int = when {
    character < 0x80 -> 1
    character < 0x800 -> 2
    character < 0x10000 -> 3
    else -> 4
}

/** One of a code point's [size] bytes in UTF-8, 0 to 255. */
internal fun utf8Byte(character: Int, index: Int, size: Int): Int {
    val bits = character ushr 6 * (size - 1 - index)
    return when {
        size == 1 -> bits
        index == 0 -> bits or (0xF00 ushr size and 0xFF)
        else -> bits and 0x3F or 0x80
    }
}

private const val REPLACEMENT = 0xFFFD
