package org.tfminilm

import java.nio.ByteBuffer

/**
 * A SentencePiece unigram model, as `sentencepiece.model` has it.
 *
 * @throws BundleException it is damaged, or of a kind that is not read.
 */
class PieceModel(file: ByteBuffer) {
    /** How many pieces there are, with those that stand for no text. */
    var size = 0
        private set

    /** The pieces that a text can be cut into, with their numbers. */
    internal val tree = PrefixTree()

    /** Words that are not changed and not cut. */
    internal val symbols = PrefixTree()

    /** The logarithm of each piece's probability. */
    internal var scores = DoubleArray(1 shl 10)
        private set

    /** That of a character without a piece. */
    internal val unknownScore: Float

    /** The number of what has no piece. */
    var unknown = PrefixTree.NONE
        private set

    /** The pieces that spell a byte; empty where such characters are unknown. */
    internal val bytes: IntArray

    /** Null where a text is taken as it is. */
    internal val rules: CharacterRules?
    internal var addsSpace = true
        private set
    internal var spaceIsLast = false
        private set
    internal var joinsSpaces = true
        private set
    internal var escapesSpaces = true
        private set

    private val ofBytes = IntArray(256) { PrefixTree.NONE }
    private val lengths = HashMap<Int, Int>() // Of the symbols, in UTF-8.
    private var least = Float.MAX_VALUE
    private var greatest = MIN_NORMAL
    private var spellsBytes = false

    init {
        val message = Protobuf(file)
        var map = ByteBuffer.allocate(0)
        while (message.next()) {
            when (message.field) {
                1 -> readPiece(message.message())
                2 -> readTrainer(message.message())
                3 -> map = readNormalizer(message.message()) ?: map
            }
        }
        if (unknown == PrefixTree.NONE) throw Protobuf.damaged("it has no unknown piece")
        if (spellsBytes && PrefixTree.NONE in ofBytes) throw Protobuf.damaged("it lacks bytes")
        bytes = if (spellsBytes) ofBytes else IntArray(0)
        unknownScore = least - UNKNOWN_PENALTY
        // A bonus, by which a symbol wins against its parts.
        for ((piece, length) in lengths) scores[piece] = (length * greatest).toDouble() - 0.1
        rules = if (map.hasRemaining()) CharacterRules(map) else null
    }

    private fun readPiece(message: Protobuf) {
        var text = ""
        var score = 0f
        var type = Type.NORMAL.ordinal
        while (message.next()) {
            when (message.field) {
                1 -> text = message.text()
                2 -> score = message.float()
                3 -> type = message.number()
            }
        }
        val id = size++
        if (size > scores.size) scores = scores.copyOf(size * 2)
        scores[id] = score.toDouble()
        if (text.isEmpty()) throw Protobuf.damaged("piece $id is empty")
        if (text.length > MOST_LETTERS) throw Protobuf.damaged("piece $id has ${text.length} letters")
        if (score.isNaN()) throw Protobuf.damaged("the score of piece $id is no number")
        when (Type.entries.getOrNull(type)) {
            Type.NORMAL -> {
                add(tree, text, id)
                least = minOf(least, score)
                greatest = maxOf(greatest, score)
            }
            Type.USER_DEFINED -> {
                add(tree, text, id)
                add(symbols, text, id)
                lengths[id] = text.toByteArray().size
            }
            Type.UNKNOWN -> unknown = id
            Type.BYTE -> ofBytes[byteOf(text)] = id
            Type.CONTROL, Type.UNUSED -> Unit
            Type.NONE, null -> throw Protobuf.damaged("piece $id is of type $type")
        }
    }

    private fun add(words: PrefixTree, text: String, id: Int) {
        val node = words.insert(text)
        val known = words.value(node)
        if (known != PrefixTree.NONE) {
            throw Protobuf.damaged("it has \"$text\" twice, as $known and $id")
        }
        words.set(node, id)
    }

    /** Such as `<0x0A>`. */
    private fun byteOf(text: String): Int =
        text.removeSurrounding("<0x", ">").toIntOrNull(16)?.takeIf { it in 0..255 }
            ?: throw Protobuf.damaged("\"$text\" is no byte")

    private fun readTrainer(message: Protobuf) {
        while (message.next()) {
            when (message.field) {
                3 -> {
                    val type = message.number()
                    if (type == UNIGRAM) continue
                    val name = MODEL_TYPES[type] ?: "type $type"
                    throw BundleException(
                        "The bundle's SentencePiece model is of $name; this app reads unigram " +
                            "models, as XLM-R's: export another one",
                        code = BundleException.Code.UNSUPPORTED,
                    )
                }
                24 -> spaceIsLast = message.flag()
                35 -> spellsBytes = message.flag()
            }
        }
    }

    private fun readNormalizer(message: Protobuf): ByteBuffer? {
        var map: ByteBuffer? = null
        while (message.next()) {
            when (message.field) {
                2 -> map = message.bytes()
                3 -> addsSpace = message.flag()
                4 -> joinsSpaces = message.flag()
                5 -> escapesSpaces = message.flag()
            }
        }
        return map
    }

    /** What a piece is, by SentencePiece's numbers. */
    private enum class Type { NONE, NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE }

    private companion object {
        const val UNIGRAM = 1
        val MODEL_TYPES = mapOf(2 to "merges (BPE)", 3 to "whole words", 4 to "characters")

        const val UNKNOWN_PENALTY = 10f

        /** Of a piece: each place of a text is compared with so many. */
        const val MOST_LETTERS = 512

        /** C's FLT_MIN, which SentencePiece starts from: no score is below. */
        const val MIN_NORMAL = 1.17549435E-38f
    }
}
