package org.tfminilm

/**
 * Words with a number each, as a tree of code points.
 *
 * @param capacity how many nodes there will be, about; more take longer.
 */
internal class PrefixTree(capacity: Int = 1 shl 9) {
    // Of each node: the one above it, its code point, and its word's number.
    private var nodes = IntArray(WIDTH * maxOf(capacity, 2))
    private var nodeCount = 1

    /** The nodes by their parent and code point, with open addressing; 0 is free. */
    private var slots = IntArray(Integer.highestOneBit(maxOf(capacity, 2)) shl 1)

    init {
        nodes[VALUE] = NONE
    }

    /** The node behind another by a code point, or [NONE]. */
    fun next(node: Int, character: Int): Int {
        var slot = slot(node, character)
        while (true) {
            val target = slots[slot]
            if (target == 0) return NONE
            val at = target * WIDTH
            if (nodes[at] == node && nodes[at + CHARACTER] == character) return target
            slot = (slot + 1) and (slots.size - 1)
        }
    }

    /** The number of the word that ends at a node, or [NONE]. */
    fun value(node: Int): Int = nodes[node * WIDTH + VALUE]

    /** Gives the word that ends at a node a number of 0 or more. */
    fun set(node: Int, value: Int) {
        nodes[node * WIDTH + VALUE] = value
    }

    /** The node of the word `text[start, end)`, which is made where there is none. */
    fun insert(text: String, start: Int = 0, end: Int = text.length): Int {
        var node = ROOT
        var index = start
        while (index < end) {
            val character = text.codePointAt(index)
            index += Character.charCount(character)
            val next = next(node, character)
            node = if (next != NONE) next else add(node, character)
        }
        return node
    }

    private fun add(node: Int, character: Int): Int {
        if (nodeCount * 2 > slots.size) {
            slots = IntArray(slots.size * 2)
            for (each in 1 until nodeCount) put(each)
        }
        if (nodeCount * WIDTH == nodes.size) nodes = nodes.copyOf(nodes.size * 2)
        val at = nodeCount * WIDTH
        nodes[at] = node
        nodes[at + CHARACTER] = character
        nodes[at + VALUE] = NONE
        put(nodeCount)
        return nodeCount++
    }

    private fun put(node: Int) {
        val at = node * WIDTH
        var slot = slot(nodes[at], nodes[at + CHARACTER])
        while (slots[slot] != 0) slot = (slot + 1) and (slots.size - 1)
        slots[slot] = node
    }

    private fun slot(node: Int, character: Int): Int {
        val key = (node.toLong() shl 21) or character.toLong()
        return ((key * -0x61c8864680b583ebL) ushr 36).toInt() and (slots.size - 1)
    }

    companion object {
        const val ROOT = 0
        const val NONE = -1
        private const val WIDTH = 3
        private const val CHARACTER = 1
        private const val VALUE = 2
    }
}
