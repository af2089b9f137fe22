// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice Receives the pools' money at the end of a game, as long as it answers.
contract EndReceiver {
    enum Mood {
        Accepts,
        Reverts,
        AnswersWrongly
    }

    Mood public mood;

    function setMood(Mood mood_) external {
        mood = mood_;
    }

    function acceptsEndOf(address) external view returns (bytes4) {
        require(mood != Mood.Reverts, "not now");
        return mood == Mood.Accepts ? this.acceptsEndOf.selector : bytes4(0xffffffff);
    }
}
