package org.tfminilm

import org.json.JSONException

/**
 * Checks that a text is JSON (RFC 8259), and no deeper than it may be.
 *
 * Android's reader takes much else, such as comments, text in single quotes and
 * a name twice, and it calls itself for every level: a deep text ends the process.
 */
internal class JsonSyntax(private val text: String) {
    private var at = 0

    /** @throws JSONException it is something else. */
    fun check() {
        value(0)
        if (next() != END) wrong()
    }

    private fun value(depth: Int) {
        when (next()) {
            '{' -> children(depth, '}', HashSet())
            '[' -> children(depth, ']', null)
            '"' -> string()
            't' -> word("true")
            'f' -> word("false")
            'n' -> word("null")
            else -> number()
        }
    }

    /** @param names those of an object so far; null for a list, which has none. */
    private fun children(depth: Int, end: Char, names: HashSet<String>?) {
        if (depth == MOST_DEPTH) throw JSONException("it is nested deeper than $MOST_DEPTH levels")
        at++
        if (next() == end) {
            at++
            return
        }
        while (true) {
            if (names != null) name(names)
            value(depth + 1)
            val behind = next()
            if (behind != ',' && behind != end) wrong()
            at++
            if (behind == end) return
        }
    }

    private fun name(names: HashSet<String>) {
        if (next() != '"') wrong()
        val name = string()
        if (!names.add(name)) throw JSONException("it has \"${name.take(60)}\" twice in one object")
        if (next() != ':') wrong()
        at++
    }

    private fun string(): String {
        val content = StringBuilder()
        at++
        while (true) {
            when (val character = current()) {
                '"' -> break
                '\\' -> {
                    at++
                    content.append(escaped())
                }
                else -> {
                    if (character < ' ') wrong()
                    content.append(character)
                }
            }
            at++
        }
        at++
        checkPairs(content)
        return content.toString()
    }

    private fun escaped(): Char = when (val character = current()) {
        '"', '\\', '/' -> character
        'b' -> '\b'
        'f' -> '\u000c'
        'n' -> '\n'
        'r' -> '\r'
        't' -> '\t'
        'u' -> {
            val digits = text.substring(at + 1, minOf(at + 5, text.length))
            if (digits.length < 4 || !digits.all { it in HEXADECIMAL }) wrong()
            at += 4
            digits.toInt(16).toChar()
        }
        else -> wrong()
    }

    /** Half a character is no text: it could not be written or compared. */
    private fun checkPairs(text: CharSequence) {
        var index = 0
        while (index < text.length) {
            val size = Character.charCount(Character.codePointAt(text, index))
            if (size == 1 && Character.isSurrogate(text[index])) {
                throw JSONException("it has half a character at ${at - text.length + index}")
            }
            index += size
        }
    }

    private fun word(word: String) {
        if (!text.startsWith(word, at)) wrong()
        at += word.length
    }

    private fun number() {
        val start = at
        if (current() == '-') at++
        val first = current()
        val digits = digits()
        if (digits > 1 && first == '0') wrong()
        var isWhole = true
        if (at < text.length && text[at] == '.') {
            isWhole = false
            at++
            digits()
        }
        if (at < text.length && text[at] in "eE") {
            isWhole = false
            at++
            if (current() in "+-") at++
            digits()
        }
        if (isWhole && digits > MOST_DIGITS) throw JSONException("a number has $digits digits")
        if (text.substring(start, at).toDouble().isInfinite()) throw JSONException("a number is too large")
    }

    private fun digits(): Int {
        val start = at
        while (at < text.length && text[at] in '0'..'9') at++
        if (at == start) wrong()
        return at - start
    }

    /** The character behind blanks, which are passed over; [END] at the end. */
    private fun next(): Char {
        while (at < text.length && text[at] in " \t\n\r") at++
        return if (at < text.length) text[at] else END
    }

    private fun current(): Char = if (at < text.length) text[at] else wrong()

    private fun wrong(): Nothing {
        val what = if (at < text.length) "character $at" else "its end"
        throw JSONException("it is no JSON at $what")
    }

    private companion object {
        const val END = '\u0000'
        const val MOST_DEPTH = 64

        /** They fit into 64 bits. */
        const val MOST_DIGITS = 18
        const val HEXADECIMAL = "0123456789abcdefABCDEF"
    }
}
