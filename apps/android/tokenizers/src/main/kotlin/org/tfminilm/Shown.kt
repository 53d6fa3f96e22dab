@file:JvmName("Texts")

package org.tfminilm

/**
 * A text as it can be shown in one line, whoever wrote it.
 *
 * What is longer is cut: Android's line breaker needs minutes for a text of a
 * million letters without a blank. Line ends and other characters that move
 * what stands around them, such as those that turn its direction, are blanks.
 *
 * @param limit of characters, with the dots at the end of what is cut.
 */
fun String.shown(limit: Int): String {
    val plain = StringBuilder()
    var count = 0
    var index = 0
    while (index < length) {
        if (count == limit) {
            val last = plain.offsetByCodePoints(plain.length, -1)
            return plain.replace(last, plain.length, "\u2026").toString()
        }
        val character = codePointAt(index)
        index += Character.charCount(character)
        plain.appendCodePoint(if (isSafe(character)) character else ' '.code)
        count++
    }
    return plain.toString()
}

private fun isSafe(character: Int) = when (Character.getType(character).toByte()) {
    Character.CONTROL, Character.LINE_SEPARATOR, Character.PARAGRAPH_SEPARATOR, Character.SURROGATE -> false
    // Those that join emoji and letters do no harm.
    Character.FORMAT -> character == ZERO_WIDTH_NON_JOINER || character == ZERO_WIDTH_JOINER
    else -> true
}

private const val ZERO_WIDTH_NON_JOINER = 0x200C
private const val ZERO_WIDTH_JOINER = 0x200D
